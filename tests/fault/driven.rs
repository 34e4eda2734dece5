//! A network whose chain is made block by block through the engine API of a real geth, branches and all.

use std::{path::PathBuf, time::Duration};

use maidenlane_tests::{
    daemon::Daemon,
    failure::Outcome,
    geth::{
        chaingen,
        engine::{Attributes, Engine},
    },
    master::Tracer,
    scenario::{Chain, Fed, Net, Plan},
    wait,
};
use serde_json::json;

/// Of the chain that everything begins on; they are final.
const BLOCKS: u32 = 64;
const PATIENCE: Duration = Duration::from_secs(60);

/// The network, and the blocks that we made.
pub(crate) struct Driven {
    pub(crate) net: Net,
    engine: Engine,
    /// Files of the chain that everything begins on.
    imported: PathBuf,
    /// Hash and time of the canonical ones.
    chain: Vec<(String, u64)>,
    /// Makes branches differ.
    turn: u64,
}

impl Driven {
    /// Everything is prepared, and no daemon started. `None`, said aloud, on a machine without Go.
    pub(crate) fn new() -> Option<Self> {
        Self::build(Net::build)
    }

    /// The same with another way to build the network.
    pub(crate) fn build(build: impl FnOnce(&Plan) -> Outcome<Net>) -> Option<Self> {
        let imported = chaingen::chain(BLOCKS, 3).unwrap();
        let Fed { net, engine, head } = Fed::on(Chain::Import(imported.clone()), 1, build).unwrap()?;
        Some(Self { net, engine, imported, chain: vec![head], turn: 0 })
    }

    /// geth was killed: it comes back without what it had not written, and another branch grows on what is final.
    pub(crate) fn begin_again(&mut self) {
        let node = self.net.node();
        node.import(&self.imported.join("chain.rlp"), Tracer::Hook).unwrap();
        node.restart().unwrap();
        // It may have written some: it builds nothing on what it takes for an old head.
        let head = json!([format!("0x{BLOCKS:x}")]);
        self.net.master().respond("debug_setHead", &head).unwrap();
        self.engine.announce(&self.imported.join("headfcu.json")).unwrap();
        self.chain.truncate(1);
    }

    /// geth was stopped in order: it comes back with all it has, and is told which block is the head.
    pub(crate) fn restart(&mut self) {
        self.net.node().restart().unwrap();
        let (head, _) = self.chain.last().unwrap();
        self.engine.choose(head, None).unwrap();
    }

    /// Makes `blocks` blocks on the canonical block `depth` below the head; each becomes the head.
    pub(crate) fn grow(&mut self, depth: usize, blocks: usize) {
        self.chain.truncate(self.chain.len() - depth);
        self.try_grow(blocks).unwrap();
    }

    /// Makes `blocks` blocks on the head.
    ///
    /// # Errors
    /// geth does not take one of them.
    pub(crate) fn try_grow(&mut self, blocks: usize) -> Outcome<()> {
        self.turn += 1;
        for _ in 0..blocks {
            let (parent, time) = self.chain.last().unwrap().clone();
            let mut attributes = Attributes::new(time + 12, 0);
            // A balance names the branch.
            attributes.withdrawals.push(json!({
                "index": format!("0x{:x}", self.chain.len()), "validatorIndex": "0x1",
                "address": format!("0x{:040x}", 0xc0de), "amount": format!("0x{:x}", self.turn),
            }));
            let payload = self.engine.extend(&parent, &attributes)?;
            self.chain.push((payload.hash()?.to_owned(), time + 12));
        }
        Ok(())
    }

    /// Number of blocks that can be replaced: geth makes none on one that is final while another is its head.
    pub(crate) fn replaceable(&self) -> usize {
        self.chain.len().saturating_sub(2)
    }

    /// Waits until the replica has the head, under a service manager's eye.
    pub(crate) fn followed(&mut self, what: &str) {
        let head = self.chain.last().unwrap().0.clone();
        self.net.recovered().unwrap_or_else(|failure| panic!("{what}: {failure}\n{}", self.net.last_words()));
        let shown = wait::until("the replica to have the head", PATIENCE, || {
            self.net.tend().map_err(|failure| failure.to_string())?;
            // Started again, it listens elsewhere.
            let replica = self.net.replica(0).map_err(|failure| failure.to_string())?;
            let hash = replica.block_hash("latest").map_err(|failure| failure.to_string())?;
            if hash == head { Ok(()) } else { Err(format!("head {hash}, not {head}")) }
        });
        shown.unwrap_or_else(|failure| panic!("{what}: {failure}\n{}", self.net.last_words()));
    }

    /// Tap or replica.
    pub(crate) fn daemon(&mut self, kind: &str) -> &mut Daemon {
        match kind {
            "tap" => self.net.tap(),
            _ => self.net.replica_daemon(0).unwrap(),
        }
    }
}
