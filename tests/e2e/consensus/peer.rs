//! A second geth, which builds the blocks.

use maidenlane_tests::{
    geth::{chaingen, engine::Engine},
    master::{self, Node},
    rpc::Client,
    scenario::Chain,
};
use serde_json::json;

use super::{BLOCKS, Consensus};

/// Another geth of the same chain, without a tap.
pub(super) struct Peer {
    pub(super) node: Node,
    pub(super) engine: Engine,
}

impl Consensus {
    /// Starts a second geth, connected to the master, that builds the blocks from now on.
    pub(crate) fn add_peer(&mut self) {
        let chain = chaingen::chain(BLOCKS, 3).unwrap();
        let home = self.net.dir().join("peer");
        let node = Node::start(&master::build().unwrap(), &home, &Chain::Import(chain.clone())).unwrap();
        let engine = node.engine().unwrap();
        engine.announce(&chain.join("headfcu.json")).unwrap();
        for hash in self.since(BLOCKS.into()) {
            engine.execute(self.payload(&hash)).unwrap();
            engine.choose(&hash, None).unwrap();
        }
        self.net.node().connect(&node).unwrap();
        self.peer = Some(Peer { node, engine });
    }

    /// Asks the second geth.
    pub(crate) fn peer(&self) -> Client {
        self.peer.as_ref().unwrap().node.rpc()
    }

    /// Kills the second geth, which starts again and is fed what it has lost. It has no peer then.
    pub(crate) fn restart_peer(&mut self) {
        let Some(mut peer) = self.peer.take() else { return };
        peer.node.kill();
        peer.node.restart().unwrap();
        let engine = peer.node.engine().unwrap();
        for hash in self.since(set_back(&peer.node.rpc())) {
            engine.execute(self.payload(&hash)).unwrap();
            engine.choose(&hash, None).unwrap();
        }
        self.peer = Some(Peer { engine, ..peer });
    }

    /// Kills the master likewise.
    pub(crate) fn kill_master(&mut self) {
        self.lost();
        self.restart_master();
        self.feed_master(set_back(&self.net.master()));
    }
}

/// Makes a geth that was killed take again what it knows without its state; the number of its head.
fn set_back(node: &Client) -> u64 {
    let number = node.block_number().unwrap();
    // It refuses where it knows no more than that.
    let _refused = node.respond("debug_setHead", &json!([format!("{number:#x}")])).unwrap();
    number
}
