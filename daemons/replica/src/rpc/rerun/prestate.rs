//! `prestateTracer`: what a transaction found, and in diff mode what it changed.

use alloy::primitives::map::AddressMap;
use maidenlane_ethjson::params::or_default;
use maidenlane_evm::Failure;
use maidenlane_evm::database::ReadFault;
use maidenlane_evm::replay::Replay;
use maidenlane_evm::touched::Touched;
use maidenlane_json::{Object, push_data};
use revm::bytecode::Bytecode;
use revm::context::TxEnv;
use revm::database_interface::DatabaseRef;
use revm::primitives::hardfork::SpecId;
use revm::primitives::{Address, B256, KECCAK_EMPTY, TxKind, U256};
use revm::state::{Account, AccountInfo};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// `tracerConfig` of `prestateTracer`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Prestate {
    #[serde(deserialize_with = "or_default")]
    pub(crate) diff_mode: bool,
    #[serde(deserialize_with = "or_default")]
    disable_code: bool,
    #[serde(deserialize_with = "or_default")]
    disable_storage: bool,
    #[serde(deserialize_with = "or_default")]
    pub(crate) include_empty: bool,
}

/// An account at one time.
#[derive(Clone, Debug, Default)]
struct Seen {
    balance: Option<U256>,
    nonce: u64,
    code: Option<Vec<u8>>,
    code_hash: Option<B256>,
    storage: BTreeMap<B256, B256>,
}

impl Seen {
    fn write(&self, out: &mut String) {
        let mut object = Object::new(out);
        if let Some(balance) = self.balance {
            object.big("balance", &balance.to_be_bytes::<32>());
        }
        if let Some(code) = &self.code {
            object.data("code", code);
        }
        if let Some(hash) = self.code_hash {
            object.data("codeHash", hash.as_slice());
        }
        if self.nonce > 0 {
            object.raw("nonce", &self.nonce.to_string());
        }
        if !self.storage.is_empty() {
            let mut slots = Object::new(object.value("storage"));
            for (key, value) in &self.storage {
                push_data(slots.value(&key.to_string()), value.as_slice());
            }
            slots.end();
        }
        object.end();
    }
}

/// Touches the accounts that are read before the first instruction.
pub(crate) fn begin(touched: &mut Touched, tx: &TxEnv, replay: &mut Replay<'_>) -> Result<(), Failure> {
    match tx.kind {
        TxKind::Call(to) => {
            touched.account(to);
            touched.target = Some(to);
        }
        TxKind::Create => {
            let to = replay.creates(tx.caller)?;
            touched.account(to);
            touched.created.insert(to);
        }
    }
    touched.account(tx.caller);
    touched.account(replay.env().beneficiary);
    // The signers are recovered by now, unless there are more than the gas pays for: then nothing runs.
    for signed in tx.authorization_list.iter().filter_map(|signed| signed.as_ref().right()) {
        signed.authority().into_iter().for_each(|authority| touched.account(authority));
    }
    Ok(())
}

/// Reader of the state before a transaction, from `db`, and after it, from its changes.
pub(crate) struct Reader<'a, D> {
    pub(crate) db: &'a D,
    pub(crate) after: &'a AddressMap<Account>,
    /// True from Cancun on: only accounts created in the same transaction are destroyed.
    destroys_created_only: bool,
    /// True from Spurious Dragon on: touched empty accounts are removed.
    clears: bool,
    /// True from Prague on: code may be a delegation.
    delegates: bool,
}

impl<'a, D> Reader<'a, D> {
    /// Reader by the rules of `spec`.
    pub(crate) fn new(db: &'a D, after: &'a AddressMap<Account>, spec: SpecId) -> Self {
        Self {
            db,
            after,
            destroys_created_only: spec.is_enabled_in(SpecId::CANCUN),
            clears: spec.is_enabled_in(SpecId::SPURIOUS_DRAGON),
            delegates: spec.is_enabled_in(SpecId::PRAGUE),
        }
    }
}

impl Prestate {
    pub(crate) fn write<D>(
        self,
        out: &mut String,
        touched: &Touched,
        reader: &Reader<'_, D>,
    ) -> Result<(), ReadFault>
    where
        D: DatabaseRef<Error = ReadFault>,
    {
        let mut addresses: BTreeSet<Address> = touched.accounts.keys().copied().collect();
        if reader.delegates {
            // The transaction's own target is looked at before its authorizations count.
            if let Some(target) = touched.target {
                let before = reader.db.basic_ref(target)?.unwrap_or_default();
                addresses.extend(reader.delegate(&before)?);
            }
            for address in &touched.called {
                let info = match reader.after.get(address) {
                    Some(account) => account.info.clone(),
                    None => reader.db.basic_ref(*address)?.unwrap_or_default(),
                };
                addresses.extend(reader.delegate(&info)?);
            }
        }
        let (mut pre, mut post) = (BTreeMap::new(), BTreeMap::new());
        let none = BTreeSet::new();
        for address in addresses {
            let slots = touched.accounts.get(&address).filter(|_| !self.disable_storage).unwrap_or(&none);
            let (mut before, empty) = self.before(reader, address, slots)?;
            if self.diff_mode && !reader.is_destroyed(touched, address) {
                let Some(after) = self.change(reader, address, &mut before)? else { continue };
                post.insert(address, after);
            }
            if !empty || self.include_empty {
                pre.insert(address, before);
            }
        }
        if !self.diff_mode {
            write_all(out, &pre);
            return Ok(());
        }
        let mut object = Object::new(out);
        write_all(object.value("post"), &post);
        write_all(object.value("pre"), &pre);
        object.end();
        Ok(())
    }

    /// Account before the transaction, and whether it was empty.
    fn before<D>(
        self,
        reader: &Reader<'_, D>,
        address: Address,
        slots: &BTreeSet<U256>,
    ) -> Result<(Seen, bool), ReadFault>
    where
        D: DatabaseRef<Error = ReadFault>,
    {
        let info = reader.db.basic_ref(address)?.unwrap_or_default();
        let code = reader.code(&info)?;
        let mut seen = Seen {
            balance: Some(info.balance),
            nonce: info.nonce,
            code_hash: (info.code_hash != KECCAK_EMPTY && !info.code_hash.is_zero())
                .then_some(info.code_hash),
            ..Seen::default()
        };
        let empty = info.balance.is_zero() && info.nonce == 0 && code.is_empty();
        seen.code = Some(code).filter(|code| !code.is_empty() && !self.disable_code);
        for slot in slots {
            let value = reader.db.storage_ref(address, *slot)?;
            seen.storage.insert((*slot).into(), value.into());
        }
        Ok((seen, empty))
    }

    /// Changed fields of an account, with unchanged slots taken out of `before`; `None` where nothing changed.
    fn change<D>(
        self,
        reader: &Reader<'_, D>,
        address: Address,
        before: &mut Seen,
    ) -> Result<Option<Seen>, ReadFault>
    where
        D: DatabaseRef<Error = ReadFault>,
    {
        let mut after = Seen::default();
        let Some(account) = reader.after.get(&address) else {
            let exists = reader.db.basic_ref(address)?.is_some();
            after.code_hash = Some(B256::ZERO);
            return Ok((!exists).then_some(after));
        };
        let info = &account.info;
        let mut modified = false;
        if Some(info.balance) != before.balance {
            (after.balance, modified) = (Some(info.balance), true);
        }
        if info.nonce != before.nonce {
            (after.nonce, modified) = (info.nonce, true);
        }
        // As in geth, what does not exist has the code hash zero, and not that of no code.
        let code_hash = if reader.exists(account) { info.code_hash } else { B256::ZERO };
        if code_hash != before.code_hash.unwrap_or(KECCAK_EMPTY) {
            (after.code_hash, modified) = (Some(code_hash), true);
            let code = reader.code(info)?;
            if !self.disable_code && Some(&code) != before.code.as_ref().or(Some(&Vec::new())) {
                after.code = Some(code);
            }
        }
        let slots: Vec<B256> = before.storage.keys().copied().collect();
        for key in slots {
            let old = before.storage.get(&key).copied().unwrap_or_default();
            let slot: U256 = key.into();
            let new: B256 = match account.storage.get(&slot) {
                Some(slot) => slot.present_value().into(),
                None => old,
            };
            if old == new || old.is_zero() {
                before.storage.remove(&key);
            }
            if old != new {
                modified = true;
                if !new.is_zero() {
                    after.storage.insert(key, new);
                }
            }
        }
        Ok(modified.then_some(after))
    }
}

impl<D: DatabaseRef<Error = ReadFault>> Reader<'_, D> {
    pub(crate) fn code(&self, info: &AccountInfo) -> Result<Vec<u8>, ReadFault> {
        if info.code_hash == KECCAK_EMPTY || info.code_hash.is_zero() {
            return Ok(Vec::new());
        }
        let code: Bytecode = match &info.code {
            Some(code) => code.clone(),
            None => self.db.code_by_hash_ref(info.code_hash)?,
        };
        Ok(code.original_bytes().to_vec())
    }

    /// Address that an account's code delegates to, if it does.
    fn delegate(&self, info: &AccountInfo) -> Result<Option<Address>, ReadFault> {
        const DESIGNATOR: [u8; 3] = [0xef, 0x01, 0x00];
        let code = self.code(info)?;
        let target = code.strip_prefix(&DESIGNATOR).and_then(|target| target.try_into().ok());
        Ok(target.map(|target: [u8; 20]| Address::new(target)))
    }

    /// True for an account that exists after the transaction: from Spurious Dragon on, touched and empty is gone.
    pub(crate) fn exists(&self, account: &Account) -> bool {
        let never = account.is_loaded_as_not_existing() && !account.is_touched();
        let cleared = self.clears && account.is_touched() && account.info.is_empty();
        !never && !cleared && !account.is_selfdestructed()
    }

    fn is_destroyed(&self, touched: &Touched, address: Address) -> bool {
        let created = touched.created.contains(&address);
        touched.destroyed.contains(&address) && (created || !self.destroys_created_only)
    }
}

fn write_all(out: &mut String, accounts: &BTreeMap<Address, Seen>) {
    let mut object = Object::new(out);
    for (address, seen) in accounts {
        seen.write(object.value(&format!("{address:#x}")));
    }
    object.end();
}
