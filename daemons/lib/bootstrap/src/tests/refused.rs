//! States that are not those of their block, and files that are none: nothing is left that could be served.

use super::sample::{self, State};
use super::{Error, World, store_path};
use maidenlane_chain::{B256, U256};
use maidenlane_replay::place;
use std::fs;

/// Imports and returns what is said; nothing may be there afterwards.
fn refused(world: &World) -> String {
    let error = world.import().unwrap_err();
    assert!(!store_path(&world.plan.state_dir).exists());
    let kept = world.plan.state_dir.join("import/journal.json").exists();
    assert!(!(kept && error.is_of_state()), "a wrong state is kept: {error}");
    error.to_string()
}

/// Exports a state after `edit`, for the block of the state before.
fn check(edit: impl FnOnce(&mut State), expect: &str) {
    let good = State::generate(7);
    let mut state = good.clone();
    edit(&mut state);
    let mut world = World::export(state);
    world.chain = sample::Chain::up_to(good.root());
    world.plan.block = world.chain.head().at.hash.to_string();
    let said = refused(&world);
    assert!(said.contains(expect), "{said}");
}

/// Key of an account with slots.
fn contract(state: &State) -> B256 {
    *state.accounts.iter().find(|(_, (_, slots))| slots.len() > 2).unwrap().0
}

#[test]
fn a_state_that_differs_is_refused_by_name() {
    let key = contract(&State::generate(7)).to_string();
    check(|state| state.accounts.first_entry().unwrap().get_mut().0.nonce += 1, "the state has root");
    check(|state| drop(state.accounts.pop_last()), "the state has root");
    let slots = |state: &mut State| {
        let key = contract(state);
        std::mem::take(&mut state.accounts.get_mut(&key).unwrap().1)
    };
    check(|state| drop(slots(state)), &format!("account hash {key} has storage, and no slot of it is there"));
    let edit = |state: &mut State| {
        let key = contract(state);
        *state.accounts.get_mut(&key).unwrap().1.first_entry().unwrap().get_mut() += U256::ONE;
    };
    check(edit, &format!("the storage of account hash {key} has root"));
    let edit = |state: &mut State| {
        let (key, slots) = (contract(state), slots(state));
        state.accounts.get_mut(&key).unwrap().0.storage_root = maidenlane_state::trie::EMPTY_ROOT_HASH;
        state.accounts.get_mut(&key).unwrap().1 = slots;
    };
    check(edit, &format!("there are slots of account hash {key}, which is not there, has no storage"));
    check(|state| drop(state.codes.pop_first()), "of an account is in none of the files");
}

/// Puts bytes in the place of a file and imports.
fn check_file(name: &str, bytes: Vec<u8>, expect: &str) {
    let world = World::export(State::generate(7));
    fs::write(world.path(name), bytes).unwrap();
    let said = refused(&world);
    assert!(said.contains(expect) && (said.contains(name) || !said.starts_with('/')), "{said}");
}

#[test]
fn a_file_that_is_something_else_is_refused_by_name() {
    let state = State::generate(7);
    let with = |rows: &[Vec<u8>]| [sample::header("snapshot"), rows.concat()].concat();
    let key = |prefix: &[u8], bytes: &[u8]| [prefix, bytes].concat();
    check_file("snapshot", Vec::new(), "is no file of `geth db export snapshot`");
    check_file("snapshot", b"hello".to_vec(), "is no file of `geth db export snapshot`");
    check_file("snapshot", state.codes(), "is an export of \"code\", not of \"snapshot\"");
    check_file("code", state.snapshot(), "is an export of \"snapshot\", not of \"code\"");
    let whole = state.snapshot();
    check_file("snapshot", whole[..whole.len() - 1].to_vec(), "is cut off; export it again (byte");
    let wrong = "holds something else than a row of its kind (byte";
    check_file("snapshot", with(&[sample::row(0, &key(b"a", &[1; 31]), &[1])]), wrong);
    check_file("snapshot", with(&[sample::row(1, &key(b"a", &[1; 32]), &[1])]), wrong);
    check_file("snapshot", with(&[sample::row(2, b"SnapshotRoot", &[])]), wrong);
    check_file("snapshot", with(&[sample::row(0, &key(b"c", &[1; 32]), &[1])]), wrong);
    let value = "holds a row whose value does not fit its key (byte";
    check_file("snapshot", with(&[sample::row(0, &key(b"a", &[1; 32]), &[1])]), value);
    check_file("snapshot", with(&[sample::row(0, &key(b"o", &[1; 64]), &[0x80])]), value);
    check_file("code", [sample::header("code"), sample::row(0, &key(b"c", &[1; 32]), &[1])].concat(), value);
    check_file("snapshot", with(&[vec![0xbf; 9]]), "holds an item of");
    let account = |number| {
        sample::row(0, &key(b"a", &[number; 32]), &maidenlane_chain::Account::default().encode_slim())
    };
    check_file("snapshot", with(&[account(2), account(1)]), "the accounts are not those of one export");
}

#[test]
fn a_compressed_file_that_is_cut_off_is_refused_by_name() {
    let whole = sample::gzip(&State::generate(7).snapshot());
    for bytes in [whole.len() / 2, whole.len() - 3] {
        check_file("snapshot", whole[..bytes].to_vec(), "is no whole gzip file");
    }
}

#[test]
fn a_dump_that_is_something_else_is_refused_by_name() {
    let good = State::generate(7).dump();
    let line = |line: &str| format!("{}\n{line}\n", good.lines().next().unwrap());
    for (dump, expect) in [
        (String::new(), "is no output of `geth snapshot dump`"),
        ("{}\n".to_owned(), "missing field"),
        (good.lines().skip(1).collect(), "is no output of `geth snapshot dump`"),
        (format!("{good}{good}"), "names a second root"),
        (line("{\"balance\":\"x\"}"), "balance \"x\" is no number"),
        (line("{\"balances\":1}"), "field \"balances\" is none of a dump"),
        (line("{\"storage\":{\"0x0\":\"01\"}}"), "cannot be read"),
        (
            line(&format!("{{\"storage\":{{\"{}\":\"00\"}}}}", B256::ZERO)),
            "is not the RLP of a number above zero",
        ),
        (good[..good.len() - 9].to_owned(), "is cut off; dump it again"),
        (format!("{good}{{\"balance\":\"1\",\"non"), "is cut off; dump it again"),
    ] {
        let world = World::dump(State::generate(7));
        fs::write(world.path("dump"), dump).unwrap();
        let said = refused(&world);
        assert!(said.contains(expect), "{said}");
    }
}

#[test]
fn a_compressed_dump_that_is_cut_off_is_refused_by_name() {
    let whole = sample::gzip(State::generate(7).dump().as_bytes());
    for bytes in [whole.len() / 2, whole.len() - 3] {
        let world = World::dump(State::generate(7));
        fs::write(world.path("dump"), &whole[..bytes]).unwrap();
        let said = refused(&world);
        assert!(said.contains("is no whole gzip file"), "{said}");
    }
}

#[test]
fn what_is_no_database_is_left_alone() {
    let world = World::export(State::generate(7));
    let note = store_path(&world.plan.state_dir).join("note");
    fs::create_dir_all(note.parent().unwrap()).unwrap();
    fs::write(&note, "mine").unwrap();
    assert!(matches!(world.import(), Err(Error::Place(place::Error::NoDatabase(_)))));
    assert_eq!(fs::read_to_string(note).unwrap(), "mine");
}

#[test]
fn a_directory_that_holds_something_is_left_alone() {
    let world = World::export(State::generate(7));
    world.import().unwrap();
    let Err(Error::Place(place::Error::Occupied { head, .. })) = world.import() else {
        panic!("imported over a state")
    };
    assert_eq!(head, world.chain.head().at);
    assert_eq!(super::view(&world.plan.state_dir).head(), head);
}
