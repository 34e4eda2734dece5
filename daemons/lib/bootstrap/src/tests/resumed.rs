//! Imports that stop on the way and go on.

use super::sample::State;
use super::{Error, World, store_path};
use crate::journal::Stage;
use std::fs;

/// Stage in the journal of an import that has stopped.
fn stage(world: &World) -> Stage {
    let json = fs::read(world.plan.state_dir.join("import/journal.json")).unwrap();
    let journal: serde_json::Value = serde_json::from_slice(&json).unwrap();
    serde_json::from_value(journal["stage"].clone()).unwrap()
}

/// Spoils the file where a row begins, at each of some places, imports, mends it, and goes on.
fn check_spoiled(world: &World, name: &str, row: &[u8]) {
    let good = fs::read(world.path(name)).unwrap();
    let mut rows = Vec::new();
    for part in 1..=4 {
        let mut spoiled = good.clone();
        let from = good.len() * part / 5;
        let at = from + good[from..].windows(row.len()).position(|window| window == row).unwrap();
        // No length of an item is this long, and no JSON begins so.
        spoiled[at] = 0xbf;
        fs::write(world.path(name), spoiled).unwrap();
        let refused = world.import().unwrap_err();
        assert!(matches!(refused, Error::File { .. }), "{refused}");
        assert!(!store_path(&world.plan.state_dir).exists());
        let Stage::Reading(reading) = stage(world) else { panic!("all was read") };
        rows.push(reading.rows);
    }
    assert!(rows.is_sorted() && rows[0] > 0 && rows[0] < rows[3], "{rows:?}");
    fs::write(world.path(name), good).unwrap();
    world.check(&world.import().unwrap());
}

#[test]
fn what_was_read_is_read_once() {
    check_spoiled(&World::export(State::generate(3)), "snapshot", b"\x80\xb8\x41o");
    check_spoiled(&World::dump(State::generate(3)), "dump", b"\n{\"balance");
}

#[test]
fn a_node_that_goes_away_costs_no_row() {
    let world = World::export(State::generate(4));
    for answers in 0..3 {
        world.chain.answers.set(answers);
        assert!(matches!(world.import(), Err(Error::NoBlock(_))));
        assert!(matches!(stage(&world), Stage::Checked(_)));
        assert!(!store_path(&world.plan.state_dir).exists());
    }
    world.chain.answers.set(usize::MAX);
    world.check(&world.import().unwrap());
}

#[test]
fn another_work_in_the_same_place_is_refused_until_it_begins_anew() {
    let mut world = World::export(State::generate(5));
    world.chain.answers.set(0);
    world.import().unwrap_err();
    world.chain.answers.set(usize::MAX);
    world.plan.proofs = false;
    let refused = world.import().unwrap_err();
    assert!(matches!(refused, Error::Other { .. }), "{refused}");
    assert!(refused.to_string().contains("with trie nodes: name the same, or begin anew"), "{refused}");
    world.plan.restart = true;
    world.import().unwrap();
}

/// An import that has stopped when all was in its database.
fn stopped(seed: u64) -> World {
    let world = World::export(State::generate(seed));
    world.chain.answers.set(0);
    world.import().unwrap_err();
    world.chain.answers.set(usize::MAX);
    world
}

#[test]
fn a_journal_without_its_database_is_not_believed() {
    let world = stopped(6);
    fs::remove_dir_all(store_path(&world.plan.state_dir.join("import"))).unwrap();
    world.check(&world.import().unwrap());
}

#[test]
fn files_without_a_journal_are_nobodys() {
    let (other, mut world) = (stopped(7), World::export(State::generate(8)));
    world.plan.state_dir = other.plan.state_dir.clone();
    fs::remove_file(world.plan.state_dir.join("import/journal.json")).unwrap();
    world.check(&world.import().unwrap());
}

#[test]
fn a_removal_that_was_cut_short_is_ended() {
    let world = stopped(9);
    let dir = world.plan.state_dir.join("import");
    fs::rename(&dir, dir.with_extension("old")).unwrap();
    world.check(&world.import().unwrap());
    assert!(!dir.with_extension("old").exists());
}
