//! Fields of a bundle, as any client writes them: the union of all dialects, typed.
//!
//! # Why a field that nobody knows is refused
//! Other relays pass over it. But a `droppingTxHases` that is passed over costs its sender money in the block in which that
//! transaction fails. Clients whose libraries add a field of their own will find it named.

use crate::refusal::Refusal;
use maidenlane_chain::{Address, B256, Bytes};
use maidenlane_config::nearest;
use maidenlane_ethjson::params;
use maidenlane_jsonrpc::list;
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Number of members beyond which an object is none of ours.
const MEMBERS_MAX: usize = 64;
/// Transactions of one bundle.
pub const TXS_MAX: usize = 100;
/// Contracts, slots of each, and builders.
const TARGETS_MAX: usize = 64;
const SLOTS_MAX: usize = 256;
const BUILDERS_MAX: usize = 64;
/// Length of the name of a builder.
const BUILDER_BYTES_MAX: usize = 64;
/// Greatest number that records can hold.
const NUMBER_MAX: u64 = i64::MAX.unsigned_abs();

/// Fields as they came; those of other names for the same are one.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Fields {
    /// Transactions.
    pub txs: Vec<Bytes>,
    /// Block; `None` for the next one.
    pub block: Option<u64>,
    /// Least timestamp.
    pub min_timestamp: Option<u64>,
    /// Greatest timestamp.
    pub max_timestamp: Option<u64>,
    /// Transactions that may revert.
    pub reverting: Vec<B256>,
    /// Transactions that may be left out.
    pub dropping: Vec<B256>,
    /// Name of the replacement, and the field that gave it.
    pub name: Option<(String, &'static str)>,
    /// Number of the replacement, and the field that gave it.
    pub nonce: Option<(u64, &'static str)>,
    /// Version.
    pub version: Option<String>,
    /// Percent of the refund.
    pub refund_percent: Option<u64>,
    /// Receiver of the refund.
    pub refund_recipient: Option<Address>,
    /// Transactions that the refund is computed from.
    pub refund_hashes: Option<Vec<B256>>,
    /// The same as an index.
    pub refund_index: Option<u64>,
    /// True if the refund is paid outside the block.
    pub delayed_refund: Option<bool>,
    /// Address that refunds are booked to.
    pub refund_identity: Option<Address>,
    /// Place in the block.
    pub place: Option<String>,
    /// Contracts that the place depends on.
    pub target_addresses: Option<Vec<Address>>,
    /// Slots of each.
    pub target_slots: Option<Vec<Vec<B256>>>,
    /// Contracts, in another dialect.
    pub target_pools: Option<Vec<Address>>,
    /// Builders.
    pub builders: Vec<String>,
}

/// Names of all fields. What a client says of itself in the last two is not believed, and so not read.
const NAMES: [&str; 23] = [
    "txs",
    "blockNumber",
    "minTimestamp",
    "maxTimestamp",
    "revertingTxHashes",
    "droppingTxHashes",
    "replacementUuid",
    "uuid",
    "replacementNonce",
    "replacementSeqNumber",
    "version",
    "refundPercent",
    "refundRecipient",
    "refundTxHashes",
    "refundIndex",
    "delayedRefund",
    "refundIdentity",
    "desiredState",
    "targetAddresses",
    "targetSlots",
    "targetPools",
    "builders",
    "signingAddress",
];
/// Name of a field that others use among themselves.
const BUNDLE_HASH: &str = "bundleHash";

impl Fields {
    /// Reads the fields of one object. Names may be in any case, as Go takes them; null is a field that is missing, and the last
    /// of several of one name counts.
    ///
    /// # Errors
    /// Naming the field.
    pub fn read(json: &str) -> Result<Self, Refusal> {
        let mut fields = Self::default();
        for (number, (name, value)) in (1..).zip(members(json)?) {
            let known =
                NAMES.into_iter().chain([BUNDLE_HASH]).find(|known| known.eq_ignore_ascii_case(&name));
            let Some(known) = known else {
                return Err(Refusal::UnknownField { number, hint: nearest(&name, NAMES.into_iter()) });
            };
            if value.get() != "null" {
                fields.set(known, value.get())?;
            }
        }
        Ok(fields)
    }

    pub(crate) fn set(&mut self, field: &'static str, json: &str) -> Result<(), Refusal> {
        match field {
            "txs" => self.txs = all(field, json, TXS_MAX, "a list of 0x hex texts", bytes)?,
            "blockNumber" => self.block = block(field, json)?.filter(|block| *block > 0),
            "minTimestamp" => self.min_timestamp = Some(number(field, json)?).filter(|time| *time > 0),
            "maxTimestamp" => self.max_timestamp = Some(number(field, json)?).filter(|time| *time > 0),
            "revertingTxHashes" => self.reverting = hashes(field, json)?,
            "droppingTxHashes" => self.dropping = hashes(field, json)?,
            "replacementUuid" | "uuid" => {
                let name = text(field, json, "a text")?;
                self.name = one(self.name.take(), name, field)?;
            }
            "replacementNonce" | "replacementSeqNumber" => {
                self.nonce = one(self.nonce.take(), number(field, json)?, field)?;
            }
            "version" => self.version = Some(text(field, json, "\"v1\" or \"v2\"")?),
            "refundPercent" => self.refund_percent = Some(number(field, json)?),
            "refundRecipient" => self.refund_recipient = Some(address(field, json)?),
            "refundTxHashes" => self.refund_hashes = Some(hashes(field, json)?),
            "refundIndex" => self.refund_index = Some(number(field, json)?),
            "delayedRefund" => self.delayed_refund = Some(boolean(field, json)?),
            "refundIdentity" => self.refund_identity = Some(address(field, json)?),
            "desiredState" => self.place = Some(text(field, json, "\"BottomOfBlock\"")?),
            "targetAddresses" => self.target_addresses = Some(addresses(field, json)?),
            "targetPools" => self.target_pools = Some(addresses(field, json)?),
            "targetSlots" => {
                let expected = "a list of lists of hashes";
                let slots = |json: &str| {
                    let of_one = list::split(json, SLOTS_MAX).ok().filter(|list| !list.is_longer)?;
                    of_one.values.into_iter().map(|slot| params::hash(slot.get()).ok()).collect()
                };
                self.target_slots = Some(all(field, json, TARGETS_MAX, expected, slots)?);
            }
            "builders" => {
                let name = |json: &str| {
                    let name = params::string(json).ok()?;
                    (name.len() <= BUILDER_BYTES_MAX).then(|| name.into_owned())
                };
                self.builders = all(field, json, BUILDERS_MAX, "a list of names of builders", name)?;
            }
            // Who signed is told by the signature, and the hash by the transactions.
            _ => {}
        }
        Ok(())
    }
}

/// Nothing of the content.
impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fields")
    }
}

/// Members of an object, in their order.
pub(crate) fn members(json: &str) -> Result<Vec<(Cow<'_, str>, &RawValue)>, Refusal> {
    struct Members;
    impl<'de> Visitor<'de> for Members {
        type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some((Name(name), value)) = map.next_entry()? {
                if members.len() == MEMBERS_MAX {
                    return Err(serde::de::Error::custom("too many members"));
                }
                members.push((name, value));
            }
            Ok(members)
        }
    }
    let mut read = serde_json::Deserializer::from_str(json);
    read.deserialize_map(Members).map_err(|_| Refusal::NotAnObject)
}

/// Name of a member, borrowed unless letters of it are escaped.
#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// The value of two fields that mean the same.
fn one<T: PartialEq>(
    before: Option<(T, &'static str)>,
    value: T,
    field: &'static str,
) -> Result<Option<(T, &'static str)>, Refusal> {
    match before {
        // Of several of one name the last counts.
        Some((other, name)) if name != field && other != value => {
            Err(Refusal::Contradiction { field, other: name })
        }
        _ => Ok(Some((value, field))),
    }
}

/// JSON of a field, where it is there.
pub(crate) fn given(field: Option<&RawValue>) -> Option<&str> {
    field.map(RawValue::get).filter(|json| *json != "null")
}

pub(crate) fn all<T>(
    field: &'static str,
    json: &str,
    most: usize,
    expected: &'static str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, Refusal> {
    let wrong = || Refusal::Type { field, expected };
    let list = list::split(json, most).map_err(|_| wrong())?;
    if list.is_longer {
        return Err(Refusal::TooMany { field, most });
    }
    list.values.into_iter().map(|value| read(value.get()).ok_or_else(wrong)).collect()
}

fn hashes(field: &'static str, json: &str) -> Result<Vec<B256>, Refusal> {
    all(field, json, TXS_MAX, "a list of hashes, each 0x and 64 hex digits", |json| params::hash(json).ok())
}

fn addresses(field: &'static str, json: &str) -> Result<Vec<Address>, Refusal> {
    let expected = "a list of addresses, each 0x and 40 hex digits";
    all(field, json, TARGETS_MAX, expected, |json| params::address(json).ok())
}

pub(crate) fn address(field: &'static str, json: &str) -> Result<Address, Refusal> {
    params::address(json).map_err(|_| Refusal::Type { field, expected: "an address, 0x and 40 hex digits" })
}

pub(crate) fn bytes(json: &str) -> Option<Bytes> {
    params::string(json).and_then(|text| params::bytes_of(&text)).ok().filter(|bytes| !bytes.is_empty())
}

fn text(field: &'static str, json: &str, expected: &'static str) -> Result<String, Refusal> {
    params::string(json).map(Cow::into_owned).map_err(|_| Refusal::Type { field, expected })
}

fn boolean(field: &'static str, json: &str) -> Result<bool, Refusal> {
    match json {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Refusal::Type { field, expected: "true or false" }),
    }
}

/// A number as JSON has it, or as 0x hex: libraries differ.
pub(crate) fn number(field: &'static str, json: &str) -> Result<u64, Refusal> {
    let hex = || params::string(json).and_then(|text| params::number_of(&text)).ok();
    let found = serde_json::from_str(json).ok().or_else(hex).filter(|number| *number <= NUMBER_MAX);
    found.ok_or(Refusal::Type { field, expected: "a whole number, or as 0x hex in quotes" })
}

/// A number of a block, where no digits stand for the next one.
fn block(field: &'static str, json: &str) -> Result<Option<u64>, Refusal> {
    match json {
        "\"\"" | "\"0x\"" => Ok(None),
        json => number(field, json).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::{Fields, NAMES};
    use crate::refusal::Refusal;

    fn refused(json: &str) -> Refusal {
        Fields::read(json).expect_err(json)
    }

    #[test]
    fn fields_are_read_in_every_form_that_libraries_write() {
        let blocks = [("\"0x1136F1F\"", Some(0x113_6f1f)), ("18050847", Some(18_050_847)), ("\"0x0\"", None)];
        for (json, block) in
            blocks.into_iter().chain([("0", None), ("\"0x\"", None), ("null", None), ("\"\"", None)])
        {
            assert_eq!(Fields::read(&format!("{{\"blockNumber\":{json}}}")).unwrap().block, block, "{json}");
        }
        let read = Fields::read(r#"{"MINTIMESTAMP":0,"maxTimestamp":"0x4d2","Version":"v1","txs":["0xC0"]}"#)
            .unwrap();
        let expect = Fields {
            max_timestamp: Some(1_234),
            version: Some("v1".to_owned()),
            txs: vec![vec![0xc0].into()],
            ..Fields::default()
        };
        assert_eq!(read, expect);
        assert_eq!(
            Fields::read(r#"{"txs":null,"signingAddress":"0x1","bundleHash":7}"#),
            Ok(Fields::default())
        );
    }

    #[test]
    fn two_names_of_one_field_must_agree() {
        let name = Some(("a".to_owned(), "uuid"));
        assert_eq!(Fields::read(r#"{"replacementUuid":"a","uuid":"a"}"#).unwrap().name, name);
        assert_eq!(Fields::read(r#"{"uuid":"b","uuid":"a"}"#).unwrap().name, name);
        let expect = Refusal::Contradiction { field: "uuid", other: "replacementUuid" };
        assert_eq!(refused(r#"{"replacementUuid":"a","uuid":"b"}"#), expect);
        let expect = Refusal::Contradiction { field: "replacementSeqNumber", other: "replacementNonce" };
        assert_eq!(refused(r#"{"replacementNonce":1,"replacementSeqNumber":2}"#), expect);
    }

    #[test]
    fn what_has_no_effect_is_refused() {
        let expect = Refusal::UnknownField { number: 2, hint: Some("droppingTxHashes") };
        assert_eq!(refused(r#"{"txs":[],"droppingTxHases":[]}"#), expect);
        assert_eq!(refused(r#"{"noMerge":true}"#), Refusal::UnknownField { number: 1, hint: None });
        for json in ["", "[]", "7", "{", "{\"txs\":[]", "{\"txs\"}"] {
            assert_eq!(refused(json), Refusal::NotAnObject, "{json}");
        }
    }

    #[test]
    fn every_field_refuses_what_is_of_another_type() {
        let ignored = ["signingAddress"];
        for field in NAMES.into_iter().filter(|field| !ignored.contains(field)) {
            for value in ["{}", "-1", "[[[[]]]]", "[\"0xg\"]", "\"0x10000000000000000\""] {
                let names = ["replacementUuid", "uuid", "version", "desiredState"];
                if value.starts_with('"') && names.contains(&field)
                    || field == "builders" && value == "[\"0xg\"]"
                {
                    continue;
                }
                let refusal = refused(&format!("{{\"{field}\":{value}}}"));
                assert_eq!(
                    (refusal.reason(), refusal.field()),
                    ("wrongType", Some(field)),
                    "{field}: {value}"
                );
            }
        }
    }

    #[test]
    fn lists_and_objects_are_bounded() {
        let json = |count: usize| format!("{{\"txs\":[{}]}}", vec!["\"0xc0\""; count].join(","));
        assert_eq!(Fields::read(&json(100)).unwrap().txs.len(), 100);
        assert_eq!(refused(&json(101)), Refusal::TooMany { field: "txs", most: 100 });
        let many = vec!["\"txs\":[]"; 65].join(",");
        assert_eq!(refused(&format!("{{{many}}}")), Refusal::NotAnObject);
        let deep = format!("{{\"txs\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        let expect = Refusal::Type { field: "txs", expected: "a list of 0x hex texts" };
        assert_eq!(refused(&deep), expect, "passed over without a call for each level");
    }
}
