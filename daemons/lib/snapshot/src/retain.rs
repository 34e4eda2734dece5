//! Retention and collection, as functions from data to data: which snapshots are kept, and what nobody needs then.

use crate::digest::Digest;
use crate::manifest::Id;
use crate::shelf::Snapshot;
use std::collections::{BTreeMap, BTreeSet};

const DAY_MS: u64 = 24 * 3_600 * 1_000;

/// Number of verified snapshots that are kept of each kind; one snapshot may be of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The newest ones: at least one, whatever is written here.
    pub newest: u32,
    /// The newest one of each day that has any, for so many days.
    pub daily: u32,
    /// The newest one of each week that has any, for so many weeks.
    pub weekly: u32,
}

/// Snapshots that the rules keep. Those of another chain, or without trie nodes beside those with, stand for
/// themselves: no replica that needs one can take the other.
///
/// A snapshot that is not verified may be on its way to it: it is kept while it is newer than those that are, as many
/// as of the newest verified ones.
#[must_use]
pub fn kept(snapshots: &[Snapshot], rules: &Rules) -> BTreeSet<Id> {
    let mut kinds = BTreeMap::<_, Vec<&Snapshot>>::new();
    for snapshot in snapshots {
        let manifest = &snapshot.manifest;
        let kind = (manifest.chain_id, manifest.genesis, manifest.proofs.is_some());
        kinds.entry(kind).or_default().push(snapshot);
    }
    kinds.into_values().flat_map(|kind| kept_of_kind(kind, rules)).collect()
}

fn kept_of_kind(mut kind: Vec<&Snapshot>, rules: &Rules) -> BTreeSet<Id> {
    // The newest first.
    kind.sort_by_key(|snapshot| {
        std::cmp::Reverse((snapshot.manifest.head.number, snapshot.manifest.made_ms))
    });
    let newest = usize::try_from(rules.newest.max(1)).unwrap_or(usize::MAX);
    let verified: Vec<_> = kind.iter().filter(|snapshot| snapshot.verified.is_some()).collect();
    let on_their_way = kind.iter().take_while(|snapshot| snapshot.verified.is_none()).take(newest);
    let pinned = kind.iter().filter(|snapshot| snapshot.pinned);
    let mut kept: BTreeSet<Id> = on_their_way.chain(pinned).map(|snapshot| snapshot.id.clone()).collect();
    kept.extend(verified.iter().take(newest).map(|snapshot| snapshot.id.clone()));
    for (span_ms, spans) in [(DAY_MS, rules.daily), (7 * DAY_MS, rules.weekly)] {
        let mut seen = BTreeSet::new();
        for snapshot in &verified {
            let span = snapshot.manifest.made_ms / span_ms;
            let room = seen.len() < usize::try_from(spans).unwrap_or(usize::MAX);
            if room && seen.insert(span) {
                kept.insert(snapshot.id.clone());
            }
        }
    }
    kept
}

/// Content of a repository, as a collection finds it.
#[derive(Clone, Debug, Default)]
pub struct Content {
    /// All snapshots.
    pub snapshots: Vec<Snapshot>,
    /// Files of uploads that may still go on.
    pub uploading: BTreeSet<Digest>,
    /// Names with a mark.
    pub marked: BTreeSet<Id>,
    /// All files, with their size.
    pub objects: Vec<(Digest, u64)>,
}

/// Work of a collection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Garbage {
    /// Snapshots that go.
    pub snapshots: BTreeSet<Id>,
    /// Names whose marks go: those of snapshots that go or are gone.
    pub marks: BTreeSet<Id>,
    /// Files that go, with their size.
    pub objects: Vec<(Digest, u64)>,
}

/// Garbage by the rules; without rules, every snapshot stays.
///
/// # Correctness
/// No file goes that a snapshot which stays, or an upload, names.
#[must_use]
pub fn garbage(content: &Content, rules: Option<&Rules>) -> Garbage {
    let all: BTreeSet<Id> = content.snapshots.iter().map(|snapshot| snapshot.id.clone()).collect();
    let kept = rules.map_or_else(|| all.clone(), |rules| kept(&content.snapshots, rules));
    let stay = content.snapshots.iter().filter(|snapshot| kept.contains(&snapshot.id));
    let mut needed: BTreeSet<Digest> =
        stay.flat_map(|snapshot| &snapshot.manifest.files).map(|file| file.sha256).collect();
    needed.extend(&content.uploading);
    Garbage {
        snapshots: all.difference(&kept).cloned().collect(),
        marks: content.marked.difference(&kept).cloned().collect(),
        objects: content.objects.iter().filter(|(digest, _)| !needed.contains(digest)).copied().collect(),
    }
}

#[cfg(test)]
mod tests;
