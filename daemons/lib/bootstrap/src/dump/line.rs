//! A line of a dump. Slots go where they are wanted as they are read.

use super::slots::Slots;
use crate::row::slot_value;
use maidenlane_chain::{Account, B256, Bytes, U256};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use std::fmt;

/// A line.
pub(super) enum Line {
    /// The first: the state root.
    Root,
    /// An account.
    Account(Dumped),
}

/// An account, but for its slots.
pub(super) struct Dumped {
    pub(super) key: B256,
    pub(super) fields: Account,
    pub(super) code: Option<Bytes>,
}

/// Reads a line, and its slots into these.
pub(super) struct Seed<'a>(pub(super) &'a mut Slots);

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Line;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Line, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Line;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an account of `geth snapshot dump`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Line, A::Error> {
        let (mut nonce, mut balance, mut root, mut code_hash) = (None, None, None, None);
        let (mut code, mut key) = (None, None);
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "nonce" => nonce = Some(map.next_value()?),
                "balance" => balance = Some(decimal(&map.next_value::<String>()?)?),
                "root" => root = Some(map.next_value()?),
                "codeHash" => code_hash = Some(map.next_value()?),
                "code" => code = Some(map.next_value()?),
                "storage" => map.next_value_seed(Storage(self.0))?,
                "key" => key = Some(map.next_value()?),
                // Told where geth knows the preimage.
                "address" => drop(map.next_value::<IgnoredAny>()?),
                other => return Err(Error::custom(format!("field {other:?} is none of a dump"))),
            }
        }
        let missing = Error::missing_field;
        let (Some(nonce), Some(balance)) = (nonce, balance) else {
            return if root.is_some() && key.is_none() { Ok(Line::Root) } else { Err(missing("balance")) };
        };
        let storage_root = root.ok_or_else(|| missing("root"))?;
        let code_hash = code_hash.ok_or_else(|| missing("codeHash"))?;
        let fields = Account { nonce, balance, storage_root, code_hash };
        Ok(Line::Account(Dumped { key: key.ok_or_else(|| missing("key"))?, fields, code }))
    }
}

fn decimal<E: Error>(text: &str) -> Result<U256, E> {
    U256::from_str_radix(text, 10).map_err(|_| E::custom(format!("balance {text:?} is no number")))
}

/// Reads the slots of an account: hash to value, both hexadecimal, the value as RLP.
struct Storage<'a>(&'a mut Slots);

impl<'de> DeserializeSeed<'de> for Storage<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Storage<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("slots by their hashes")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((key, value)) = map.next_entry::<B256, String>()? {
            // Without 0x, as geth writes it.
            let rlp: Bytes =
                value.parse().map_err(|_| Error::custom(format!("slot value {value:?} is no hex")))?;
            let value = slot_value(&rlp).ok_or_else(|| {
                Error::custom(format!("slot value {value:?} is not the RLP of a number above zero: was this made by `geth dump`?"))
            })?;
            self.0.push(key, value).map_err(Error::custom)?;
        }
        Ok(())
    }
}
