//! Facts about a node, and what speaks against adopting it.

use crate::way::{Scheme, Way};
use std::path::PathBuf;

/// Facts as far as they are known; one that is not known yet speaks against nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// How the state is to be had.
    pub way: Way,
    /// How geth keeps it.
    pub scheme: Scheme,
    /// Number of the user that owns geth's data, if whoever adopts is another one.
    pub other_user: Option<u32>,
    /// True if geth is stopped, and has left a journal of what it held in memory.
    pub journal: Option<bool>,
    /// True if all of the state is on the disk as flat rows.
    pub flat: Option<bool>,
    /// True if geth still synchronises.
    pub syncing: Option<bool>,
    /// Version of the running node, as `1.17.5-stable`.
    pub node_version: Option<String>,
    /// Version of the geth with the hook.
    pub geth_version: String,
    /// How far a copy must go back.
    pub rewind: Option<Rewind>,
    /// The spool.
    pub spool: Spool,
    /// Bytes that the copies take.
    pub copied_bytes: u64,
    /// Bytes that are free where they go.
    pub free_bytes: u64,
}

/// Distance from the state on geth's disk down to a block, in differences that geth keeps of states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewind {
    /// Differences between the two.
    pub needed: u64,
    /// Differences that are there.
    pub kept: u64,
}

/// Spool, as far as frames are to come there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spool {
    /// Directory.
    pub path: PathBuf,
    /// True if there is nothing in it.
    pub is_empty: bool,
    /// True if geth's user can write there.
    pub is_writable: bool,
    /// Bytes that must be free there.
    pub needed_bytes: u64,
    /// Bytes that are.
    pub free_bytes: u64,
    /// True if its settings allow as many.
    pub is_large: bool,
}

/// Something that speaks against it, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Objection {
    /// Somebody else's data.
    #[error("geth's data belong to user {0}: repeat this as that user, or as root")]
    User(u32),
    /// No state of a whole block.
    #[error("geth still synchronises: wait until eth_syncing answers false")]
    Syncing,
    /// Rows are missing.
    #[error(
        "geth still builds the flat form of its state: start it, and wait until it logs \"Generated snapshot\""
    )]
    NotFlat,
    /// Nothing re-executes blocks there.
    #[error(
        "geth keeps its state by hash, and executes no block twice: name --dump, which takes the state of its head"
    )]
    HashScheme,
    /// Nor does anything go back.
    #[error(
        "geth keeps its state by hash, and executes no block twice: only a node that keeps it by path can take over a feed; \
         begin a new one, by --dump without --feed-head"
    )]
    HashSchemeFeed,
    /// The blocks above the disk's state would be lost.
    #[error(
        "geth has left no journal (geth/triedb/merkle.journal), so it was killed or is older than 1.16: start it, let it \
         follow the chain, and stop it cleanly"
    )]
    NoJournal,
    /// Journals of another version are thrown away, and the node with them rewinds.
    #[error(
        "the node runs geth {node}, the one with the hook is {geth}: bring the node itself to that version first"
    )]
    Version { node: String, geth: String },
    /// A feed that ended too long ago.
    #[error(
        "the feed ends {needed} blocks below the state on geth's disk, and geth can go back over {kept}, {} too few: adopt a node \
         that has not come so far or keeps more (--history.state), or begin a new feed, without --feed-head",
        needed.saturating_sub(*kept)
    )]
    Rewind { needed: u64, kept: u64 },
    /// Frames of another adoption, or of a feed.
    #[error(
        "the spool is not empty: name an empty one, or, if no tap reads it, remove what is in it; geth has the hook already if \
         a feed is told from it"
    )]
    Spool,
    /// A disk that is read-only, or somebody else's directory.
    #[error(
        "geth's user cannot write to the spool {}: mount it for writing, and give it to that user or to a group of it", .0.display()
    )]
    SpoolReadOnly(PathBuf),
    /// Too little room for frames.
    #[error(
        "frames and the free room that the hook wants (`minFree_MB`) take {needed_bytes} bytes where the spool is, {free_bytes} are \
         free: make room, or name another spool"
    )]
    SpoolRoom { needed_bytes: u64, free_bytes: u64 },
    /// A bound that frames do not keep.
    #[error("the frames do not fit into `maxSpool_MB` of the hook: raise it")]
    SpoolSmall,
    /// Too little room.
    #[error(
        "the copies take {copied_bytes} bytes, {free_bytes} are free: name a --work directory on the file system of the \
         data directory, where they share files with it, or make room"
    )]
    Disk { copied_bytes: u64, free_bytes: u64 },
}

/// All that speaks against it.
#[must_use]
pub fn objections(facts: &Facts) -> Vec<Objection> {
    let Facts { copied_bytes, free_bytes, .. } = *facts;
    let by_hash = facts.scheme == Scheme::Hash;
    let user = facts.other_user.map(Objection::User);
    let rewind = facts.rewind.filter(|rewind| rewind.needed > rewind.kept);
    let rewind = rewind.map(|Rewind { needed, kept }| Objection::Rewind { needed, kept });
    let other = facts.node_version.as_ref().filter(|node| series(node) != series(&facts.geth_version));
    let version =
        other.map(|node| Objection::Version { node: node.clone(), geth: facts.geth_version.clone() });
    let all = [
        (facts.syncing == Some(true), Objection::Syncing),
        (facts.flat == Some(false), Objection::NotFlat),
        (by_hash && facts.way == Way::Export, Objection::HashScheme),
        (by_hash && facts.way.feed_head().is_some(), Objection::HashSchemeFeed),
        (facts.scheme == Scheme::Path && facts.journal == Some(false), Objection::NoJournal),
        (copied_bytes > free_bytes, Objection::Disk { copied_bytes, free_bytes }),
    ];
    let found = all.into_iter().filter_map(|(speaks, objection)| speaks.then_some(objection));
    user.into_iter().chain(found).chain(spool(&facts.spool)).chain(rewind).chain(version).collect()
}

fn spool(spool: &Spool) -> impl Iterator<Item = Objection> {
    let Spool { needed_bytes, free_bytes, .. } = *spool;
    let all = [
        (!spool.is_empty, Objection::Spool),
        (!spool.is_writable, Objection::SpoolReadOnly(spool.path.clone())),
        (needed_bytes > free_bytes, Objection::SpoolRoom { needed_bytes, free_bytes }),
        (!spool.is_large, Objection::SpoolSmall),
    ];
    all.into_iter().filter_map(|(speaks, objection)| speaks.then_some(objection))
}

/// Major and minor number: within these, journals have one format.
fn series(version: &str) -> Vec<&str> {
    version.split('.').take(2).collect()
}

#[cfg(test)]
mod tests {
    use super::{Facts, Objection, Rewind, Spool, objections};
    use crate::way::{Scheme, Way};

    fn spool() -> Spool {
        let (is_empty, is_writable, is_large) = (true, true, true);
        Spool { path: "/s".into(), is_empty, is_writable, needed_bytes: 7, free_bytes: 7, is_large }
    }

    fn facts() -> Facts {
        Facts {
            way: Way::Export,
            scheme: Scheme::Path,
            other_user: None,
            journal: Some(true),
            flat: Some(true),
            syncing: Some(false),
            node_version: Some("1.17.2-stable".to_owned()),
            geth_version: "1.17.5-stable".to_owned(),
            rewind: Some(Rewind { needed: 3, kept: 3 }),
            spool: spool(),
            copied_bytes: 10,
            free_bytes: 10,
        }
    }

    #[test]
    fn nothing_speaks_against_a_node_that_is_well() {
        assert_eq!(objections(&facts()), []);
        let unknown = Facts { journal: None, flat: None, syncing: None, node_version: None, ..facts() };
        assert_eq!(objections(&Facts { rewind: None, ..unknown }), []);
        let dumped = Facts { way: Way::Dump, scheme: Scheme::Hash, journal: Some(false), ..facts() };
        assert_eq!(objections(&dumped), []);
    }

    #[test]
    fn all_that_speaks_against_a_node_is_told_at_once() {
        let bad = Facts {
            other_user: Some(998),
            journal: Some(false),
            flat: Some(false),
            syncing: Some(true),
            node_version: Some("1.16.9-stable".to_owned()),
            rewind: Some(Rewind { needed: 5, kept: 3 }),
            spool: Spool { is_empty: false, is_writable: false, free_bytes: 6, is_large: false, ..spool() },
            copied_bytes: 11,
            ..facts()
        };
        let expected = [
            Objection::User(998),
            Objection::Syncing,
            Objection::NotFlat,
            Objection::NoJournal,
            Objection::Disk { copied_bytes: 11, free_bytes: 10 },
            Objection::Spool,
            Objection::SpoolReadOnly("/s".into()),
            Objection::SpoolRoom { needed_bytes: 7, free_bytes: 6 },
            Objection::SpoolSmall,
            Objection::Rewind { needed: 5, kept: 3 },
            Objection::Version { node: "1.16.9-stable".to_owned(), geth: "1.17.5-stable".to_owned() },
        ];
        assert_eq!(objections(&bad), expected);
        assert!(expected[9].to_string().contains("2 too few"), "{}", expected[9]);
        let by_hash = |way| objections(&Facts { scheme: Scheme::Hash, way, ..facts() });
        assert_eq!(by_hash(Way::Export), [Objection::HashScheme]);
        assert_eq!(by_hash(Way::TakeOver { feed_head: 9 }), [Objection::HashSchemeFeed]);
    }
}
