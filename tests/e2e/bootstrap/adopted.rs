//! A network whose master was synced by a geth without the hook, and whose consensus client is the test.

use std::{
    collections::BTreeMap,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use alloy::primitives::hex;
use maidenlane_tests::{
    chain::Scheme,
    compare::{self, Comparison, Question},
    failure::Outcome,
    geth::{
        chaingen,
        engine::{Attributes, Engine},
    },
    master::{self, Node, Tracer},
    process,
    product::Product,
    rpc::Client,
    scenario::{Chain, Fed, Net, Plan},
    settings, wait,
};
use serde_json::{Value, json};

use crate::consensus::PATIENCE;

/// Blocks below the head that are asked about.
const ASKED_BLOCKS: u64 = 20;
/// Parts of the names of methods that need no state.
pub(super) const STATELESS: [&str; 6] = [
    "eth_getBlock",
    "eth_getTransactionBy",
    "eth_getTransactionReceipt",
    "eth_getLogs",
    "eth_getUncle",
    "debug_getRaw",
];

pub(super) struct Adopted {
    pub(super) net: Net,
    pub(super) engine: Engine,
    /// Hash and time of the canonical blocks, from the last one that the stock geth had.
    pub(super) chain: Vec<(String, u64)>,
    /// The block whose state was exported, where it is known.
    pub(super) base: u64,
    /// The export, as arguments of the import.
    export: Vec<String>,
}

impl Adopted {
    /// A geth without the hook, synced to a chain whose end is final; `None`, said aloud, without Go.
    pub(super) fn stock(build: fn(&Plan) -> Outcome<Net>, scheme: Scheme, blocks: u32) -> Option<Self> {
        let chain = Chain::Stock(chaingen::varied(blocks, 5).unwrap(), scheme);
        let Fed { net, engine, head } = Fed::on(chain, 1, build).unwrap()?;
        Some(Self { net, engine, chain: vec![head], base: blocks.into(), export: Vec::new() })
    }

    /// The same two blocks later, whose end is not final, adopted with the state of its head, and run with the hook.
    pub(super) fn dumped(build: fn(&Plan) -> Outcome<Net>, scheme: Scheme, blocks: u32) -> Option<Self> {
        let mut world = Self::stock(build, scheme, blocks)?;
        world.grow(0, 2);
        world.chain.drain(..2);
        world.net.node().stop().unwrap();
        world.adopted(&["--dump"]);
        assert_eq!(world.base, u64::from(blocks) + 2);
        world.hooked();
        Some(world)
    }

    /// `maidenlane master adopt`, killed at a point, if one is named.
    pub(super) fn adopt(&mut self, more: &[&str], killed: &str) -> Output {
        let spool = json!({"spool": self.net.node().spool()});
        let mut command = self.adopting(&master::build().unwrap(), &spool);
        command.arg("--work").arg(self.path("adopt")).args(more);
        command.env("MAIDENLANE_FAILPOINT", killed).output().unwrap()
    }

    /// Why the command fails with another spool, other settings of the hook or another work directory.
    pub(super) fn refused(&mut self, hook: &Value, more: &[&str]) -> String {
        let output = self.adopting(&master::build().unwrap(), hook).args(more).output().unwrap();
        assert_eq!(output.status.code(), Some(78), "{}", said(&output));
        said(&output)
    }

    /// The command.
    pub(super) fn adopting(&mut self, geth: &Path, hook: &Value) -> Command {
        let mut command = Product::build().unwrap().command("maidenlane");
        command.args(["master", "adopt", "--hook", &hook.to_string(), "--geth"]).arg(geth);
        command.arg("--ipc").arg(self.net.node().ipc()).arg("--datadir").arg(self.net.node().data());
        command
    }

    /// Kills the command while its geth executes blocks, which goes on when the file that is returned is there.
    pub(super) fn orphaned(&mut self) -> PathBuf {
        let [geth, begun, go_on] = ["geth.sh", "begun", "go-on"].map(|name| self.path(name));
        let script = format!(
            "#!/bin/sh\ncase \"$*\" in */dev/null) ;; *' import '*) : > {}; until test -e {}; do sleep 0.05; done;; esac\nexec {} \"$@\"\n",
            begun.display(),
            go_on.display(),
            master::build().unwrap().display()
        );
        fs::write(&geth, script).unwrap();
        fs::set_permissions(&geth, Permissions::from_mode(0o755)).unwrap();
        let spool = json!({"spool": self.net.node().spool()});
        let mut command = self.adopting(&geth, &spool);
        let mut child = command.arg("--work").arg(self.path("adopt")).spawn().unwrap();
        wait::until("the blocks to be executed", PATIENCE, || {
            if begun.exists() { Ok(()) } else { Err("not begun".to_owned()) }
        })
        .unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        go_on
    }

    /// The same to its end; what it exported is what is imported.
    pub(super) fn adopted(&mut self, more: &[&str]) -> Value {
        let output = self.adopt(more, "");
        let done: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
        self.base = done["number"].as_u64().unwrap();
        self.export = done["files"].as_array().unwrap().iter().fold(Vec::new(), |mut arguments, file| {
            let file = file.as_str().unwrap();
            arguments.extend([format!("--{}", file.rsplit('/').next().unwrap()), file.to_owned()]);
            arguments
        });
        done
    }

    /// Every byte of the node's data.
    pub(super) fn data(&mut self) -> BTreeMap<PathBuf, Vec<u8>> {
        let (mut all, mut directories) = (BTreeMap::new(), vec![self.net.node().data()]);
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
                if entry.is_dir() {
                    directories.push(entry);
                } else {
                    all.insert(entry.clone(), fs::read(entry).unwrap());
                }
            }
        }
        all
    }

    /// Runs the node again, as it was.
    pub(super) fn resumed(&mut self) {
        self.net.node().restart().unwrap();
        self.engine.choose(&self.chain.last().unwrap().0, None).unwrap();
    }

    /// Runs the master with the hook, and lets the tap begin where its spool does.
    pub(super) fn hooked(&mut self) {
        self.net.node().tracer(Tracer::Hook);
        self.resumed();
        self.net.tap().edit(settings::adopting).unwrap();
    }

    /// Another node with the blocks of this one, which is stopped, and without the hook.
    pub(super) fn another(&mut self, name: &str) -> Node {
        let chain = Chain::Stock(PathBuf::new(), Scheme::Path);
        let mut node = Node::new(&master::build().unwrap(), &self.path(name), &chain).unwrap();
        node.tracer(Tracer::None);
        node.eager();
        let mut cp = Command::new("cp");
        process::output(cp.arg("-a").args([self.net.node().data(), node.data()])).unwrap();
        node
    }

    /// Has another node execute the newest blocks of this one.
    pub(super) fn shared(&mut self, node: &Node, blocks: u64) {
        let (master, file) = (self.net.master(), self.path("shared.rlp"));
        let head = master.block_number().unwrap();
        let raw = |number: u64| {
            let block = master.call("debug_getRawBlock", &json!([format!("{number:#x}")])).unwrap();
            hex::decode(block.as_str().unwrap().trim_start_matches("0x")).unwrap()
        };
        fs::write(&file, (head - blocks + 1..=head).flat_map(raw).collect::<Vec<u8>>()).unwrap();
        node.import(&file, Tracer::None).unwrap();
    }

    /// Loses the master with its disk; the other node is there in its place, stopped, and its spool is what the tap reads.
    pub(super) fn lost(&mut self, other: Node) {
        let node = self.net.node();
        node.kill();
        for gone in [node.data(), node.spool()] {
            fs::remove_dir_all(gone).unwrap();
        }
        let lost = std::mem::replace(node, other);
        self.engine = node.engine().unwrap();
        let moved = [(lost.spool(), node.spool()), (lost.ipc(), node.ipc())];
        self.net
            .tap()
            .edit(|text| {
                moved.iter().fold(text.to_owned(), |text, (from, to)| {
                    text.replace(&from.display().to_string(), &to.display().to_string())
                })
            })
            .unwrap();
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.net.dir().join(name)
    }

    /// Replaces the newest blocks by new ones; each of these becomes the head.
    pub(super) fn grow(&mut self, replaced: usize, blocks: usize) {
        self.chain.truncate(self.chain.len() - replaced);
        for _ in 0..blocks {
            let (parent, time) = self.chain.last().unwrap().clone();
            let mut attributes = Attributes::new(time + 12, u8::try_from(replaced).unwrap());
            attributes.withdrawals.push(json!({
                "index": format!("0x{time:x}"), "validatorIndex": "0x1", "address": format!("0x{:040x}", 0xc0de),
                "amount": format!("0x{:x}", self.chain.len() + replaced),
            }));
            let payload = self.engine.extend(&parent, &attributes).unwrap();
            self.chain.push((payload.hash().unwrap().to_owned(), time + 12));
        }
    }

    /// Waits until the replica has the head.
    pub(super) fn followed(&mut self) {
        let (head, _) = self.chain.last().unwrap().clone();
        let replica = self.net.replica(0);
        let replica = replica.unwrap_or_else(|failure| panic!("{failure}\n{}", self.net.last_words()));
        wait::until("the replica to have the head", PATIENCE, || {
            self.net.replica_daemon(0).unwrap().alive().map_err(|failure| failure.to_string())?;
            let found = replica.block_hash("latest").map_err(|failure| failure.to_string())?;
            if found == head { Ok(()) } else { Err(found) }
        })
        .unwrap_or_else(|failure| panic!("{failure}\n{}", self.net.last_words()));
    }

    /// The import of the state of `block`, killed at a point, if one is named.
    pub(super) fn import(&mut self, block: u64, killed: &str) -> Output {
        let ipc = self.net.node().ipc().display().to_string();
        self.import_from(&["--node", &ipc], &block.to_string(), killed)
    }

    /// The same with blocks from elsewhere.
    pub(super) fn import_from(&mut self, blocks: &[&str], block: &str, killed: &str) -> Output {
        let config = self.net.replica_daemon(0).unwrap().config().to_owned();
        let mut command = Product::build().unwrap().command("maidenlane");
        command.args(["replica", "import", "--journal-rows", "100", "--block", block]).args(blocks);
        command.args(&self.export).arg("--config").arg(config);
        command.env("MAIDENLANE_FAILPOINT", killed).output().unwrap()
    }

    pub(super) fn imported(&mut self) -> Value {
        let output = self.import(self.base, "");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)))
    }

    /// Checks that the replica answers as geth does: about its newest blocks all, about those up to its base what needs
    /// no state.
    pub(super) fn check(&mut self) {
        let (master, replica) = (self.net.master(), self.net.replica(0).unwrap());
        let head = master.block_number().unwrap();
        let first = head.saturating_sub(ASKED_BLOCKS).max(self.base + 1);
        agree(&master, &replica, &compare::questions_from(&master, first, head).unwrap());
        let below = compare::questions(&master, self.base).unwrap();
        let stateless = |question: &Question| STATELESS.iter().any(|part| question.method.starts_with(part));
        agree(&master, &replica, &below.into_iter().filter(stateless).collect::<Vec<_>>());
        let balance = json!([format!("0x{:040x}", 0xc0de), format!("{:#x}", self.base - 1)]);
        let pruned = replica.respond("eth_getBalance", &balance).unwrap();
        assert_eq!(pruned.pointer("/error/code"), Some(&json!(4444)), "{pruned}");
    }
}

pub(super) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(super) fn agree(master: &Client, replica: &Client, questions: &[Question]) {
    let comparison = Comparison::of(master, replica, questions).unwrap();
    assert!(comparison.perfect(), "{:#?}", comparison.differences);
}
