//! Snapshots that are damaged, each in another way: refused by name, and nothing is left that could be served.

use super::{Error, Made, World, check, store_path};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

/// A world with a snapshot, and the object of one of its files.
fn world(table: bool) -> (World, Made, PathBuf) {
    let world = World::new();
    let made = world.replica.snapshot(&world.repository).unwrap();
    world.verify(&made.id).unwrap();
    let files = made.manifest.files.iter().filter(|file| file.is_table() == table);
    let file = files.max_by_key(|file| file.bytes).unwrap();
    let name = file.sha256.to_string();
    let object = world.path("repository/objects").join(&name[..2]).join(&name);
    (world, made, object)
}

/// Checks that a restore and a verification refuse with `expect`, that the mark goes, and that nothing can be served.
fn refused(world: &World, made: &Made, expect: &str) {
    let error = world.restored(Some(&made.id), "other").unwrap_err();
    assert!(error.is_of_snapshot(), "{error}");
    let said = maidenlane_service::with_causes(&error);
    assert!(said.contains(&made.id.to_string()) && said.contains(expect), "{said}");
    assert!(!store_path(&world.path("other")).exists());
}

fn unmarked(world: &World, made: &Made) {
    world.verify(&made.id).unwrap_err();
    assert_eq!(world.repository.snapshot(&made.id).unwrap().verified, None);
    assert!(matches!(world.restored(None, "other"), Err(Error::NoneVerified { .. })));
}

#[test]
fn a_file_with_another_byte() {
    for table in [true, false] {
        let (world, made, object) = world(table);
        let mut bytes = fs::read(&object).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x40;
        // A new file: the replica has a link to the old one.
        fs::remove_file(&object).unwrap();
        fs::write(&object, &bytes).unwrap();
        refused(&world, &made, "is damaged");
        unmarked(&world, &made);
        // Nobody finds it there, and so the next snapshot brings it again.
        assert!(!object.exists());
        let again = world.replica.snapshot(&world.repository).unwrap();
        if table {
            world.verify(&again.id).unwrap();
        }
        // Mended, the same restore goes on.
        bytes[middle] ^= 0x40;
        fs::write(&object, &bytes).unwrap();
        world.restored(Some(&made.id), "other").unwrap();
        check(&world.path("other"), world.replica.head.at, &world.replica.rows());
    }
}

#[test]
fn a_file_that_was_cut() {
    let (world, made, object) = world(false);
    let bytes = fs::read(&object).unwrap();
    fs::write(&object, &bytes[..bytes.len() - 1]).unwrap();
    refused(&world, &made, "is damaged");
    unmarked(&world, &made);
    // The next snapshot finds that its size is wrong, and sends it again.
    let again = world.replica.snapshot(&world.repository).unwrap();
    assert_eq!(fs::read(&object).unwrap(), bytes);
    world.verify(&again.id).unwrap();
}

#[test]
fn a_link_in_the_place_of_a_file_leads_nowhere_out_of_the_database() {
    let (world, made, object) = world(true);
    let elsewhere = world.path("elsewhere");
    fs::rename(&object, &elsewhere).unwrap();
    symlink(&elsewhere, &object).unwrap();
    world.restored(Some(&made.id), "other").unwrap();
    fs::remove_file(&elsewhere).unwrap();
    check(&world.path("other"), world.replica.head.at, &world.replica.rows());
}

#[test]
fn a_pipe_in_the_place_of_a_file() {
    for table in [true, false] {
        let (world, made, object) = world(table);
        fs::remove_file(&object).unwrap();
        assert!(Command::new("mkfifo").arg(&object).status().unwrap().success());
        refused(&world, &made, "is damaged");
        unmarked(&world, &made);
    }
}

#[test]
fn a_directory_that_is_no_repository_stays_as_it_is() {
    let world = World::new();
    let path = world.path("another's");
    fs::create_dir(&path).unwrap();
    fs::write(path.join("letter"), "hello").unwrap();
    let collected = crate::collect(&crate::Repository::directory(&path).unwrap(), None, false).unwrap();
    assert_eq!(collected, crate::retain::Garbage::default());
    let names = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.collect::<Vec<_>>(), ["letter"]);
}

#[test]
fn a_file_that_is_not_there() {
    let (world, made, object) = world(true);
    fs::remove_file(&object).unwrap();
    refused(&world, &made, "is not in");
    unmarked(&world, &made);
}

#[test]
fn a_manifest_with_another_byte_or_of_the_future() {
    let (world, made, _) = world(true);
    let path = world.path("repository/manifests").join(made.id.to_string());
    let good = fs::read_to_string(&path).unwrap();
    fs::write(&path, good.replacen("\"base\":0", "\"base\":1", 1)).unwrap();
    refused(&world, &made, "other bytes than its name says");
    // What such a manifest needs is not known: nothing is removed.
    let before = world.objects();
    assert!(matches!(crate::collect(&world.repository, None, false), Err(Error::Unusable { .. })));
    assert_eq!(world.objects().len(), before.len());
    fs::remove_file(&path).unwrap();
    let mut future = made.manifest.clone();
    future.format += 1;
    let (id, bytes) = future.encode().unwrap();
    fs::write(world.path("repository/manifests").join(id.to_string()), bytes).unwrap();
    let made = Made { id, ..made };
    refused(&world, &made, "has format 2, this build reads 1");
}

#[test]
fn a_state_that_is_not_that_of_its_block() {
    let world = World::new();
    let mut rows = maidenlane_wire::Rows::default();
    let address = maidenlane_chain::Address::repeat_byte(0x77);
    let after = Some(maidenlane_chain::Account { nonce: 1, ..Default::default() }.encode_slim());
    rows.accounts.push(maidenlane_wire::rows::AccountRow { address, before: None, after });
    let mut head = world.replica.head.clone();
    head.rows = rows;
    // As a replica would have it that wrote a row too many.
    let store = &world.replica.store;
    let mut batch = store.batch(store.facts(), super::KEEP);
    let maidenlane_wire::Record::Advance(record) = head.advance() else { panic!("an ADVANCE") };
    store.advance(&mut batch, &record).unwrap();
    store.write(batch).unwrap();
    let made = world.replica.snapshot(&world.repository).unwrap();
    let error = world.verify(&made.id).unwrap_err();
    let said = maidenlane_service::with_causes(&error);
    assert!(matches!(error, Error::State { .. }) && said.contains("its header says"), "{said}");
    unmarked(&world, &made);
}

#[test]
fn something_else_among_the_manifests() {
    let (world, _, _) = world(true);
    fs::write(world.path("repository/manifests/readme.txt"), "hello").unwrap();
    // Nobody knows what it needs: nothing is removed, and all else goes on.
    let refused = crate::collect(&world.repository, None, false).unwrap_err();
    assert!(matches!(&refused, Error::Foreign { key, .. } if key == "manifests/readme.txt"), "{refused}");
    world.restored(None, "other").unwrap();
    let nowhere = crate::Repository::directory(&world.path("nowhere")).unwrap_err();
    assert!(matches!(nowhere, Error::NoRepository(_)));
}

#[test]
fn the_newest_that_is_whole_is_taken() {
    let (mut world, first, _) = world(true);
    let (head, rows) = (world.replica.head.at, world.replica.rows());
    world.replica.grow(2, 0);
    let second = world.replica.snapshot(&world.repository).unwrap();
    world.verify(&second.id).unwrap();
    let old: Vec<_> = first.manifest.files.iter().map(|file| file.sha256).collect();
    let new =
        second.manifest.files.iter().find(|file| file.is_table() && !old.contains(&file.sha256)).unwrap();
    let name = new.sha256.to_string();
    fs::remove_file(world.path("repository/objects").join(&name[..2]).join(&name)).unwrap();
    assert_eq!(world.restored(None, "other").unwrap().0, first.id);
    check(&world.path("other"), head, &rows);
    assert!(matches!(world.restored(Some(&second.id), "third"), Err(Error::Missing { .. })));
}
