//! Owners and modes: of a repository that one user has for itself, and of one that a group shares.

use super::{World, check};
use std::fs::{self, Metadata, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;

/// Users of two services, and the group of both.
const FIRST: u32 = 61_001;
const SECOND: u32 = 61_002;

/// Everything below a directory.
fn below(dir: &Path) -> Vec<(String, Metadata)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let (path, meta) = {
            let entry = entry.unwrap();
            (entry.path(), entry.metadata().unwrap())
        };
        if meta.is_dir() {
            all.extend(below(&path));
        }
        all.push((path.display().to_string(), meta));
    }
    all
}

#[test]
fn what_a_group_shares_can_be_read_by_all_of_it_and_is_nobody_elses_database() {
    let world = World::shared();
    let made = world.replica.snapshot(&world.repository).unwrap();
    world.verify(&made.id).unwrap();
    for (path, meta) in below(&world.path("repository")) {
        let expected = if meta.is_dir() { 0o2770 } else { 0o640 };
        assert_eq!(meta.mode() & 0o7777, expected, "{path}");
        assert!(meta.is_dir() || meta.nlink() == 1, "{path} is a file of the replica's");
    }
}

#[test]
fn a_repository_of_ones_own_takes_no_room_for_tables() {
    let world = World::new();
    let made = world.replica.snapshot(&world.repository).unwrap();
    let tables = made.manifest.files.iter().filter(|file| file.is_table()).count();
    let objects = below(&world.path("repository/objects"));
    let linked = objects.iter().filter(|(_, meta)| meta.is_file() && meta.nlink() > 1).count();
    assert!(tables > 0 && linked == tables, "{linked} of {tables} tables are links");
}

#[test]
fn what_is_restored_for_another_user_shares_no_file_with_the_first() {
    let world = World::new();
    if fs::metadata(world.path("repository")).unwrap().uid() != 0 {
        println!("not run: only root restores for others");
        return;
    }
    let made = world.replica.snapshot(&world.repository).unwrap();
    for (path, meta) in below(&world.path("repository/objects")) {
        if meta.is_file() {
            chown(path, Some(FIRST), None).unwrap();
        }
    }
    let state = world.path("other");
    fs::create_dir(&state).unwrap();
    chown(&state, Some(SECOND), None).unwrap();
    world.restored(Some(&made.id), "other").unwrap();
    maidenlane_service::files::give_all(&state).unwrap();
    for (path, meta) in below(&world.path("repository/objects")) {
        assert!(meta.is_dir() || meta.uid() == FIRST, "{path} was taken from its owner");
    }
    check(&state, world.replica.head.at, &world.replica.rows());
}

impl World {
    /// A world whose repository a group may write.
    fn shared() -> Self {
        let mut world = Self::new();
        let path = world.path("repository");
        fs::set_permissions(&path, Permissions::from_mode(0o2770)).unwrap();
        world.repository = crate::Repository::directory(&path).unwrap();
        world
    }
}
