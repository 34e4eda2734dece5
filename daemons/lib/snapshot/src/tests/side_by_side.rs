//! Replicas, uploads and collections that share a repository.

use super::{Error, Replica, World, check, pace, quiet};
use crate::lease::{Collection, Upload};
use crate::retain::Rules;
use crate::{Workshop, collect};
use std::fs;
use std::time::{Duration, SystemTime};

const ONE: Rules = Rules { newest: 1, daily: 0, weekly: 0 };

#[test]
fn two_replicas_share_a_repository() {
    let mut world = World::new();
    // Both count their files alike, and not all files are the same.
    let mut other = Replica::begin(&world.path("other"));
    other.grow(6, 1);
    let (one, two) = std::thread::scope(|scope| {
        let two = scope.spawn(|| other.snapshot(&world.repository).unwrap());
        (world.replica.snapshot(&world.repository).unwrap(), two.join().unwrap())
    });
    let names = |made: &crate::Made| -> Vec<_> {
        made.manifest
            .files
            .iter()
            .map(|file| file.name.clone())
            .filter(|name| name.ends_with(".sst"))
            .collect()
    };
    assert!(names(&one).iter().any(|name| names(&two).contains(name)), "{one:?} {two:?}");
    for (made, name, replica) in [(&one, "a", &world.replica), (&two, "b", &other)] {
        world.restored(Some(&made.id), name).unwrap();
        check(&world.path(name), replica.head.at, &replica.rows());
    }
    // A replica's old snapshots go, and the other's files stay.
    world.verify(&one.id).unwrap();
    world.replica.grow(2, 0);
    let newest = world.replica.snapshot(&world.repository).unwrap();
    world.verify(&newest.id).unwrap();
    let garbage = collect(&world.repository, Some(&ONE), false).unwrap();
    assert!(garbage.snapshots.contains(&one.id) && !garbage.snapshots.contains(&newest.id), "{garbage:?}");
    world.verify(&newest.id).unwrap();
}

#[test]
fn a_collection_leaves_what_is_kept_and_takes_the_rest() {
    let mut world = World::new();
    let mut all = Vec::new();
    for _ in 0..4 {
        world.replica.grow(2, 0);
        let made = world.replica.snapshot(&world.repository).unwrap();
        world.verify(&made.id).unwrap();
        all.push(made);
    }
    world.repository.pin(&all[0].id, true, &pace()).unwrap();
    assert!(matches!(world.repository.remove(&all[0].id), Err(Error::Pinned(_))));
    let rehearsed = collect(&world.repository, Some(&ONE), true).unwrap();
    assert_eq!(world.repository.ids().unwrap().len(), 4);
    let before = world.objects().len();
    let collected = collect(&world.repository, Some(&ONE), false).unwrap();
    assert_eq!(collected, rehearsed);
    assert!(!collected.objects.is_empty());
    assert_eq!(world.objects().len(), before - collected.objects.len());
    assert_eq!(world.repository.ids().unwrap(), [all[0].id.clone(), all[3].id.clone()]);
    for made in [&all[0], &all[3]] {
        world.verify(&made.id).unwrap();
    }
    world.repository.pin(&all[0].id, false, &pace()).unwrap();
    world.repository.remove(&all[0].id).unwrap();
    assert!(matches!(world.repository.remove(&all[0].id), Err(Error::NoSnapshot { .. })));
    assert!(matches!(world.repository.pin(&all[0].id, true, &pace()), Err(Error::NoSnapshot { .. })));
    collect(&world.repository, Some(&ONE), false).unwrap();
    let files: std::collections::BTreeSet<_> =
        all[3].manifest.files.iter().map(|file| file.sha256.to_string()).collect();
    assert_eq!(world.objects().len(), files.len());
    world.verify(&all[3].id).unwrap();
}

#[test]
fn a_collection_spares_an_upload_until_it_is_a_day_old() {
    let world = World::new();
    let made = world.replica.snapshot(&world.repository).unwrap();
    world.repository.remove(&made.id).unwrap();
    let upload = Upload::begin(&world.repository, &made.manifest, &pace()).unwrap();
    assert_eq!(collect(&world.repository, None, false).unwrap().objects, []);
    upload.publish().unwrap();
    upload.end().unwrap();
    world.verify(&made.id).unwrap();
    // One that was killed, more than a day ago.
    world.repository.remove(&made.id).unwrap();
    let _killed = Upload::begin(&world.repository, &made.manifest, &pace()).unwrap();
    let path = world.path("repository/uploads").join(made.id.to_string());
    let old = SystemTime::now() - Duration::from_secs(25 * 3_600);
    fs::File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
    assert_eq!(collect(&world.repository, None, false).unwrap().objects.len() as u64, made.sent.0);
    assert!(!path.exists() && world.objects().is_empty());
}

#[test]
fn an_upload_waits_for_a_collection_that_may_not_have_seen_it() {
    let world = World::new();
    let collection = Collection::begin(&world.repository).unwrap();
    std::thread::scope(|scope| {
        let upload = scope.spawn(|| world.replica.snapshot(&world.repository).unwrap());
        let announced =
            || fs::read_dir(world.path("repository/uploads")).is_ok_and(|mut all| all.next().is_some());
        maidenlane_tests::wait::until("the upload to be announced", Duration::from_secs(20), || {
            if announced() { Ok(()) } else { Err("none".to_owned()) }
        })
        .unwrap();
        assert!(!world.path("repository/objects").exists(), "it sends before the collection has ended");
        collection.end().unwrap();
        upload.join().unwrap();
    });
    // One that was killed is waited for no longer than it may run.
    let dead = Collection::begin(&world.repository).unwrap();
    let file = fs::read_dir(world.path("repository/collecting")).unwrap().next().unwrap().unwrap().path();
    let old = SystemTime::now() - Duration::from_secs(3_600);
    fs::File::options().write(true).open(&file).unwrap().set_modified(old).unwrap();
    world.replica.snapshot(&world.repository).unwrap();
    drop(dead);
    Collection::begin(&world.repository).unwrap().end().unwrap();
    assert!(!file.exists());
}

#[test]
fn one_snapshot_of_a_replica_at_a_time() {
    let world = World::new();
    let first = Workshop::open(&world.replica.state_dir).unwrap();
    assert!(matches!(Workshop::open(&world.replica.state_dir), Err(Error::Busy(_))));
    first.create(&world.replica.store, &world.repository, &pace(), &quiet).unwrap();
    drop(first);
    Workshop::open(&world.replica.state_dir).unwrap();
}
