//! States that begin within a trail against a run from the beginning, over random changes.

use super::*;
use crate::codes::Codes;
use crate::database::StateDb;
use crate::overlay::Overlay;
use alloy::eips::eip2935::HISTORY_STORAGE_ADDRESS;
use maidenlane_state::{At, StateView as _};
use maidenlane_testkit::chain as fake;
use revm::database_interface::{Database as _, DatabaseCommit as _};
use revm::primitives::hardfork::SpecId;
use revm::primitives::keccak256;
use revm::state::{EvmStorageSlot, TransactionId};

const STEPS: usize = 24;
/// One that has code and slots, one that has ether, and some that do not exist.
const ADDRESSES: [Address; 4] =
    [HISTORY_STORAGE_ADDRESS, Address::ZERO, Address::repeat_byte(0x42), Address::repeat_byte(0x43)];

/// Random choices from a seed.
struct Dice(B256);

impl Dice {
    fn roll(&mut self, sides: u8) -> u8 {
        self.0 = keccak256(self.0);
        self.0[0] % sides
    }
}

/// Slots of which the chain's head has some.
fn slots(head: u64) -> [U256; 3] {
    [U256::from(head - 1), U256::from(head - 2), U256::from(1_000_000)]
}

/// All accounts as readers see them.
fn look(state: &mut Overlay<'_>, head: u64) -> Vec<String> {
    let mut seen = Vec::new();
    for address in ADDRESSES {
        let info = state.basic(address).expect("it is there");
        let code = info.as_ref().map(|info| match &info.code {
            Some(code) => code.original_bytes(),
            None => state.code_by_hash(info.code_hash).expect("it is there").original_bytes(),
        });
        let info = info.map(|info| (info.balance, info.nonce, info.code_hash));
        let values = slots(head).map(|slot| state.storage(address, slot).expect("it is there"));
        seen.push(format!("{address} {info:?} {code:?} {values:?}"));
    }
    seen
}

/// A transaction that changes, creates, empties and destroys accounts.
fn changes(dice: &mut Dice, state: &mut Overlay<'_>, head: u64) -> AddressMap<Account> {
    let mut changes = AddressMap::default();
    for address in ADDRESSES {
        let Some(info) = (dice.roll(3) > 0).then(|| state.basic(address).expect("it is there")) else {
            continue;
        };
        let mut account = Account::from(info.unwrap_or_default());
        match dice.roll(8) {
            0 => account.mark_selfdestruct(),
            1 => account.info = AccountInfo::default(),
            2 => {
                account.mark_created();
                let code = Bytecode::new_legacy(vec![0x60, dice.roll(4)].into());
                (account.info.code_hash, account.info.code) = (code.hash_slow(), Some(code));
            }
            _ => account.info.balance = U256::from(dice.roll(200)),
        }
        for slot in slots(head) {
            let (old, new) = (U256::from(dice.roll(3)), U256::from(dice.roll(3)));
            account.storage.insert(slot, EvmStorageSlot::new_changed(old, new, TransactionId::ZERO));
        }
        if dice.roll(8) > 0 {
            account.mark_touch();
        }
        changes.insert(address, account);
    }
    changes
}

fn check(seed: u8, spec: SpecId) {
    let Some(chain) = fake::chain() else { return };
    let (codes, head) = (Codes::new(1 << 20), chain.head().block.number);
    let db = || StateDb::bare(&chain, At::Latest, head, &codes);
    let (mut dice, trail) = (Dice(B256::repeat_byte(seed)), Arc::new(Trail::default()));
    let mut before = Before::default();
    for address in ADDRESSES {
        let account = chain.account(keccak256(address), At::Latest).expect("it is there");
        before.accounts.push((address, account));
        before.slots.extend(
            slots(head).map(|slot| (address, slot, db().storage(address, slot).expect("it is there"))),
        );
    }
    trail.begin(before);
    let mut whole = Overlay::new(db(), spec);
    let mut seen = vec![look(&mut whole, head)];
    let mut all = Vec::new();
    for step in 1..=STEPS {
        let changes = changes(&mut dice, &mut whole, head);
        trail.note(step, &changes, whole.keeps_empty(), step);
        // A run beside it notes the same, and one that has not come so far yet what is there.
        trail.note(step, &changes, whole.keeps_empty(), step);
        whole.commit(changes.clone());
        seen.push(look(&mut whole, head));
        all.push(changes);
    }
    assert_eq!(trail.steps(), STEPS + 1);
    assert!(trail.bytes() > STEPS * 100, "{}", trail.bytes());
    for begun in 0..=STEPS {
        let mut later = Overlay::new(db().after(Past::of(&trail, begun + 1)), spec);
        assert_eq!(look(&mut later, head), seen[begun], "seed {seed}, after {begun}");
        for (step, changes) in all.iter().enumerate().skip(begun) {
            later.commit(changes.clone());
            assert_eq!(look(&mut later, head), seen[step + 1], "seed {seed}, from {begun} to {step}");
        }
    }
}

#[test]
fn a_state_within_a_trail_is_that_of_a_run() {
    for seed in 0..20 {
        check(seed, SpecId::FRONTIER);
        check(seed, SpecId::OSAKA);
    }
}
