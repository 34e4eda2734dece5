//! Facts about a node, and what speaks against adopting it.

use crate::way::{Scheme, Way};

/// Facts as far as they are known; one that is not known yet speaks against nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// How the state is to be had.
    pub way: Way,
    /// How geth keeps it.
    pub scheme: Scheme,
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
    /// True if there is nothing in the spool.
    pub spool_empty: bool,
    /// Bytes that the copies take.
    pub copied_bytes: u64,
    /// Bytes that are free where they go.
    pub free_bytes: u64,
}

/// Something that speaks against it, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Objection {
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
    /// Frames of another adoption, or of a feed.
    #[error(
        "the spool is not empty: name an empty one, or, if no tap reads it, remove what is in it; geth has the hook already if \
         a feed is told from it"
    )]
    Spool,
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
    let bulk = facts.way == Way::Export;
    let other = facts.node_version.as_ref().filter(|node| series(node) != series(&facts.geth_version));
    let all = [
        (facts.syncing == Some(true), Objection::Syncing),
        (facts.flat == Some(false), Objection::NotFlat),
        (bulk && facts.scheme == Scheme::Hash, Objection::HashScheme),
        (facts.scheme == Scheme::Path && facts.journal == Some(false), Objection::NoJournal),
        (!facts.spool_empty, Objection::Spool),
        (copied_bytes > free_bytes, Objection::Disk { copied_bytes, free_bytes }),
    ];
    let found = all.into_iter().filter_map(|(speaks, objection)| speaks.then_some(objection));
    let version =
        other.map(|node| Objection::Version { node: node.clone(), geth: facts.geth_version.clone() });
    found.chain(version).collect()
}

/// Major and minor number: within these, journals have one format.
fn series(version: &str) -> Vec<&str> {
    version.split('.').take(2).collect()
}

#[cfg(test)]
mod tests {
    use super::{Facts, Objection, objections};
    use crate::way::{Scheme, Way};

    fn facts() -> Facts {
        Facts {
            way: Way::Export,
            scheme: Scheme::Path,
            journal: Some(true),
            flat: Some(true),
            syncing: Some(false),
            node_version: Some("1.17.2-stable".to_owned()),
            geth_version: "1.17.5-stable".to_owned(),
            spool_empty: true,
            copied_bytes: 10,
            free_bytes: 10,
        }
    }

    #[test]
    fn nothing_speaks_against_a_node_that_is_well() {
        assert_eq!(objections(&facts()), []);
        let unknown = Facts { journal: None, flat: None, syncing: None, node_version: None, ..facts() };
        assert_eq!(objections(&unknown), []);
        let dumped = Facts { way: Way::Dump, scheme: Scheme::Hash, journal: Some(false), ..facts() };
        assert_eq!(objections(&dumped), []);
    }

    #[test]
    fn all_that_speaks_against_a_node_is_told_at_once() {
        let bad = Facts {
            journal: Some(false),
            flat: Some(false),
            syncing: Some(true),
            node_version: Some("1.16.9-stable".to_owned()),
            spool_empty: false,
            copied_bytes: 11,
            ..facts()
        };
        let expected = [
            Objection::Syncing,
            Objection::NotFlat,
            Objection::NoJournal,
            Objection::Spool,
            Objection::Disk { copied_bytes: 11, free_bytes: 10 },
            Objection::Version { node: "1.16.9-stable".to_owned(), geth: "1.17.5-stable".to_owned() },
        ];
        assert_eq!(objections(&bad), expected);
        assert_eq!(objections(&Facts { scheme: Scheme::Hash, ..facts() }), [Objection::HashScheme]);
    }
}
