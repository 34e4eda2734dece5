//! revm's journal, but for balances that overflow: geth counts on from zero, where revm refuses the payment. No chain has
//! so much ether, but an override may give it.

use revm::Journal;
use revm::JournalEntry;
use revm::bytecode::Bytecode;
use revm::context::journaled_state::account::JournaledAccountTr as _;
use revm::context_interface::context::{SStoreResult, SelfDestructResult};
use revm::context_interface::journaled_state::{
    AccountInfoLoad, AccountLoad, JournalCheckpoint, JournalLoadError, JournalTr, StateLoad, TransferError,
};
use revm::database_interface::Database;
use revm::inspector::JournalExt;
use revm::primitives::hardfork::SpecId;
use revm::primitives::map::{AddressMap, AddressSet, HashSet};
use revm::primitives::{Address, B256, Log, StorageKey, StorageValue, U256};
use revm::state::Account;

/// revm's journal with geth's payments.
#[derive(Debug)]
pub struct Ledger<DB>(Journal<DB>);

type Loaded<T, DB> = Result<StateLoad<T>, <DB as Database>::Error>;
type Skipped<T, DB> = Result<T, JournalLoadError<<DB as Database>::Error>>;

impl<DB: Database> Ledger<DB> {
    /// Pays where the payee's balance overflows. Reads no more accounts than revm does: witnesses list what was read.
    fn overflow(&mut self, from: Address, to: Address, wei: U256) -> Result<bool, DB::Error> {
        if from == to || wei.is_zero() || self.0.load_account(from)?.data.info.balance < wei {
            return Ok(false);
        }
        let has = self.0.load_account(to)?.data.info.balance;
        if has.checked_add(wei).is_some() {
            return Ok(false);
        }
        self.0.touch_account(from);
        self.0.touch_account(to);
        let mut payer = self.0.load_account_mut(from)?.data;
        let left = payer.balance().saturating_sub(wei);
        payer.set_balance(left);
        self.0.load_account_mut(to)?.data.set_balance(has.wrapping_add(wei));
        Ok(true)
    }
}

/// Methods that are revm's.
macro_rules! revms {
    ($($name:ident($($argument:ident: $kind:ty),*) $(-> $result:ty)?;)*) => {
        $(fn $name(&mut self, $($argument: $kind),*) $(-> $result)? {
            self.0.$name($($argument),*)
        })*
    };
}

impl<DB: Database> JournalTr for Ledger<DB> {
    type Database = DB;
    type State = <Journal<DB> as JournalTr>::State;
    type JournaledAccount<'a>
        = <Journal<DB> as JournalTr>::JournaledAccount<'a>
    where
        Self: 'a;

    fn new(database: DB) -> Self {
        Self(Journal::new(database))
    }

    fn transfer(
        &mut self,
        from: Address,
        to: Address,
        wei: U256,
    ) -> Result<Option<TransferError>, DB::Error> {
        if self.overflow(from, to, wei)? {
            return Ok(None);
        }
        self.0.transfer(from, to, wei)
    }

    fn transfer_loaded(&mut self, from: Address, to: Address, wei: U256) -> Option<TransferError> {
        // Both are loaded, so that nothing is read that could fail.
        if self.overflow(from, to, wei).unwrap_or_default() {
            return None;
        }
        self.0.transfer_loaded(from, to, wei)
    }

    fn db_and_state(&self) -> (&DB, &Self::State) {
        self.0.db_and_state()
    }

    fn db_and_state_mut(&mut self) -> (&mut DB, &mut Self::State) {
        self.0.db_and_state_mut()
    }

    fn logs(&self) -> &[Log] {
        self.0.logs()
    }

    fn precompile_addresses(&self) -> &AddressSet {
        self.0.precompile_addresses()
    }

    fn depth(&self) -> usize {
        self.0.depth()
    }

    fn load_account(&mut self, address: Address) -> Loaded<&Account, DB> {
        self.0.load_account(address)
    }

    fn load_account_with_code(&mut self, address: Address) -> Loaded<&Account, DB> {
        self.0.load_account_with_code(address)
    }

    fn load_account_mut_skip_cold_load(
        &mut self,
        address: Address,
        skip: bool,
    ) -> Skipped<StateLoad<Self::JournaledAccount<'_>>, DB> {
        self.0.load_account_mut_skip_cold_load(address, skip)
    }

    fn load_account_mut_optional_code(
        &mut self,
        address: Address,
        code: bool,
    ) -> Loaded<Self::JournaledAccount<'_>, DB> {
        self.0.load_account_mut_optional_code(address, code)
    }

    fn load_account_info_skip_cold_load(
        &mut self,
        address: Address,
        code: bool,
        skip: bool,
    ) -> Skipped<AccountInfoLoad<'_>, DB> {
        self.0.load_account_info_skip_cold_load(address, code, skip)
    }

    #[expect(deprecated, reason = "the trait has it")]
    fn caller_accounting_journal_entry(&mut self, address: Address, old: U256, bump: bool) {
        self.0.caller_accounting_journal_entry(address, old, bump);
    }

    #[expect(deprecated, reason = "the trait has it")]
    fn nonce_bump_journal_entry(&mut self, address: Address) {
        self.0.nonce_bump_journal_entry(address);
    }

    revms! {
        sload_skip_cold_load(address: Address, key: StorageKey, skip: bool)
            -> Skipped<StateLoad<StorageValue>, DB>;
        sstore_skip_cold_load(address: Address, key: StorageKey, value: StorageValue, skip: bool)
            -> Skipped<StateLoad<SStoreResult>, DB>;
        tload(address: Address, key: StorageKey) -> StorageValue;
        tstore(address: Address, key: StorageKey, value: StorageValue);
        log(log: Log);
        take_logs() -> Vec<Log>;
        selfdestruct(address: Address, target: Address, skip: bool)
            -> Skipped<StateLoad<SelfDestructResult>, DB>;
        warm_access_list(list: AddressMap<HashSet<StorageKey>>);
        warm_coinbase_account(address: Address);
        warm_precompiles(addresses: &AddressSet);
        set_spec_id(spec: SpecId);
        set_eip7708_config(disabled: bool, delayed: bool);
        touch_account(address: Address);
        balance_incr(address: Address, wei: U256) -> Result<(), DB::Error>;
        load_account_delegated(address: Address) -> Loaded<AccountLoad, DB>;
        set_code_with_hash(address: Address, code: Bytecode, hash: B256);
        checkpoint() -> JournalCheckpoint;
        checkpoint_commit();
        checkpoint_revert(checkpoint: JournalCheckpoint);
        create_account_checkpoint(caller: Address, address: Address, wei: U256, spec: SpecId)
            -> Result<JournalCheckpoint, TransferError>;
        commit_tx();
        discard_tx();
        finalize() -> Self::State;
    }
}

impl<DB: Database> JournalExt for Ledger<DB> {
    fn journal(&self) -> &[JournalEntry] {
        self.0.journal()
    }
}
