//! The master of a network: a real geth, or its recordings.

use std::path::{Path, PathBuf};

use crate::{
    chain::Chain,
    failure::Outcome,
    master::{self, Node},
    product,
    replay::Replay,
    rpc::Client,
};

#[derive(Debug)]
pub(super) enum Master {
    Geth(Node),
    Replay(Replay),
}

impl Master {
    pub(super) fn start(chain: &Chain, dir: &Path, proofs: bool) -> Outcome<Self> {
        let prepare = |node: &mut Node| node.hook("trie", proofs.into());
        match chain {
            Chain::Recorded => Replay::start(&product::vectors(), dir).map(Self::Replay),
            _ => Node::prepared(&master::build()?, dir, chain, prepare).map(Self::Geth),
        }
    }

    pub(super) fn spool(&self) -> PathBuf {
        match self {
            Self::Geth(node) => node.spool(),
            Self::Replay(replay) => replay.spool().to_owned(),
        }
    }

    pub(super) fn ipc(&self) -> PathBuf {
        match self {
            Self::Geth(node) => node.ipc(),
            Self::Replay(replay) => replay.ipc().to_owned(),
        }
    }

    pub(super) fn rpc(&self) -> Client {
        match self {
            Self::Geth(node) => node.rpc(),
            Self::Replay(replay) => replay.rpc(),
        }
    }
}
