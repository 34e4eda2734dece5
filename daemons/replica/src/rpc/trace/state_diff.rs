//! State diff of a transaction, as Parity writes it: `=` for what did not change, `+` and `-` for what came and went,
//! `*` with both values for what changed.

use crate::rpc::rerun::prestate::Reader;
use alloy::primitives::{Address, B256, U256};
use maidenlane_evm::database::ReadFault;
use maidenlane_json::{Object, push_data};
use revm::DatabaseRef;
use revm::state::Account;

/// A value before and after; `None` where there is no account.
struct Diff<T>(Option<T>, Option<T>);

impl<T: PartialEq> Diff<T> {
    fn is_same(&self) -> bool {
        self.0 == self.1
    }

    fn write(&self, out: &mut String, value: impl Fn(&mut String, &T)) {
        match (&self.0, &self.1) {
            (Some(before), Some(after)) if before != after => {
                let mut object = Object::new(out);
                let mut both = Object::new(object.value("*"));
                value(both.value("from"), before);
                value(both.value("to"), after);
                both.end();
                object.end();
            }
            (None, Some(after)) => {
                let mut object = Object::new(out);
                value(object.value("+"), after);
                object.end();
            }
            (Some(before), None) => {
                let mut object = Object::new(out);
                value(object.value("-"), before);
                object.end();
            }
            _ => out.push_str("\"=\""),
        }
    }
}

/// JSON of all accounts that changed, by address.
pub(crate) fn of<D>(reader: &Reader<'_, D>) -> Result<String, ReadFault>
where
    D: DatabaseRef<Error = ReadFault>,
{
    let mut touched: Vec<(&Address, &Account)> =
        reader.after.iter().filter(|(_, account)| account.is_touched()).collect();
    touched.sort_unstable_by_key(|(address, _)| **address);
    let mut out = String::new();
    let mut object = Object::new(&mut out);
    for (address, account) in touched {
        if let Some(change) = change(reader, *address, account)? {
            object.raw(&format!("{address:#x}"), &change);
        }
    }
    object.end();
    Ok(out)
}

fn change<D>(reader: &Reader<'_, D>, address: Address, account: &Account) -> Result<Option<String>, ReadFault>
where
    D: DatabaseRef<Error = ReadFault>,
{
    let before = reader.db.basic_ref(address)?;
    let after = reader.exists(account).then_some(&account.info);
    let code = |info| reader.code(info);
    let balance = Diff(before.as_ref().map(|info| info.balance), after.map(|info| info.balance));
    let nonce = Diff(before.as_ref().map(|info| info.nonce), after.map(|info| info.nonce));
    let code = Diff(before.as_ref().map(code).transpose()?, after.map(code).transpose()?);
    let mut slots = Vec::new();
    for (key, slot) in &account.storage {
        let (old, new) = (slot.original_value(), slot.present_value());
        let diff = match (before.is_some(), after.is_some()) {
            (true, true) if old != new => Diff(Some(old), Some(new)),
            (true, false) if !old.is_zero() => Diff(Some(old), None),
            (false, true) if !new.is_zero() => Diff(None, Some(new)),
            _ => continue,
        };
        slots.push((B256::from(*key), diff));
    }
    slots.sort_unstable_by_key(|(key, _)| *key);
    if balance.is_same() && nonce.is_same() && code.is_same() && slots.is_empty() {
        return Ok(None);
    }
    let mut out = String::new();
    let mut object = Object::new(&mut out);
    balance.write(object.value("balance"), |out, value| quantity(out, *value));
    code.write(object.value("code"), |out, value| push_data(out, value));
    nonce.write(object.value("nonce"), |out, value| quantity(out, U256::from(*value)));
    let mut storage = Object::new(object.value("storage"));
    for (key, diff) in &slots {
        diff.write(storage.value(&format!("{key:#x}")), |out, value| {
            push_data(out, &value.to_be_bytes::<32>());
        });
    }
    storage.end();
    object.end();
    Ok(Some(out))
}

fn quantity(out: &mut String, value: U256) {
    out.push_str(&format!("\"{value:#x}\""));
}
