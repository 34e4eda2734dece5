use super::{Content, DAY_MS, Rules, garbage, kept};
use crate::digest::Digest;
use crate::manifest::tests::sample;
use crate::manifest::{File, Id};
use crate::shelf::{Snapshot, Verified};
use maidenlane_chain::B256;
use std::collections::BTreeSet;

const RULES: Rules = Rules { newest: 2, daily: 3, weekly: 2 };

/// A verified snapshot of hour `hour`, with a file of its own and one that all share.
fn snapshot(hour: u64) -> Snapshot {
    let mut manifest = sample();
    manifest.head.number = hour;
    manifest.made_ms = hour * 3_600_000;
    let own = Digest::of(&hour.to_be_bytes());
    manifest.files.push(File { name: "MANIFEST-000013".to_owned(), bytes: hour, sha256: own });
    let verified = Verified { at_ms: manifest.made_ms, root: B256::ZERO, accounts: 1, slots: 1 };
    let id = manifest.encode().unwrap().0;
    Snapshot { id, manifest, verified: Some(verified), pinned: false }
}

/// Hours of the snapshots that are kept.
fn hours(snapshots: &[Snapshot]) -> Vec<u64> {
    let kept = kept(snapshots, &RULES);
    let kept = snapshots.iter().filter(|snapshot| kept.contains(&snapshot.id));
    kept.map(|snapshot| snapshot.manifest.head.number).collect()
}

#[test]
fn the_newest_of_each_day_and_week_stay() {
    assert_eq!(DAY_MS, 24 * 3_600_000);
    let all: Vec<_> = (0..24 * 21).step_by(6).map(snapshot).collect();
    // The last hours of weeks 1 and 2 (day 13 and 20), of days 18 and 19, and the two newest.
    assert_eq!(hours(&all), [330, 450, 474, 492, 498]);
}

#[test]
fn the_newest_verified_one_stays_whatever_comes_after_it() {
    let mut all: Vec<_> = (0..8).map(snapshot).collect();
    all[1..].iter_mut().for_each(|snapshot| snapshot.verified = None);
    // Two on their way to it, and none between.
    assert_eq!(hours(&all), [0, 6, 7]);
    all[3].pinned = true;
    assert_eq!(hours(&all), [0, 3, 6, 7]);
    let nothing = Rules { newest: 0, daily: 0, weekly: 0 };
    assert_eq!(kept(&all[..1], &nothing).len(), 1);
}

#[test]
fn chains_and_kinds_stand_for_themselves() {
    let mut all: Vec<_> = (0..3).map(snapshot).collect();
    all[0].manifest.chain_id = 2;
    all[1].manifest.proofs = None;
    assert_eq!(hours(&all), [0, 1, 2]);
}

/// Checks that nothing goes that something else needs, and the rest does.
fn check(content: &Content, rules: Option<&Rules>, snapshots: usize, objects: usize) {
    let found = garbage(content, rules);
    assert_eq!((found.snapshots.len(), found.objects.len()), (snapshots, objects), "{found:?}");
    let stay = content.snapshots.iter().filter(|snapshot| !found.snapshots.contains(&snapshot.id));
    let needed: BTreeSet<_> =
        stay.flat_map(|snapshot| &snapshot.manifest.files).map(|file| file.sha256).collect();
    assert!(found.objects.iter().all(|(digest, _)| !needed.contains(digest)));
}

#[test]
fn what_a_kept_snapshot_or_an_upload_needs_stays() {
    let snapshots: Vec<_> = (0..6).map(snapshot).collect();
    let stray = Digest::of(b"stray");
    let files = snapshots.iter().flat_map(|snapshot| &snapshot.manifest.files);
    let mut objects: Vec<_> = files.map(|file| (file.sha256, file.bytes)).collect();
    objects.push((stray, 5));
    objects.sort();
    objects.dedup();
    let marked: BTreeSet<Id> = snapshots.iter().map(|snapshot| snapshot.id.clone()).collect();
    let mut content = Content { snapshots, uploading: BTreeSet::new(), marked, objects };
    check(&content, None, 0, 1);
    // Of six in one day the two newest stay.
    check(&content, Some(&RULES), 4, 5);
    content.uploading.insert(stray);
    content.uploading.insert(Digest::of(&0_u64.to_be_bytes()));
    check(&content, Some(&RULES), 4, 3);
    let gone = content.snapshots.remove(0);
    assert!(garbage(&content, None).marks.contains(&gone.id));
    assert_eq!(garbage(&content, None).marks.len(), 1);
}
