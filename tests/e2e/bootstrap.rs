//! A geth that was synced without the hook becomes a master, and a replica begins with the state that geth exports.

use std::{fs, path::Path, process::Output};

use maidenlane_tests::{
    compare::{self, Comparison, Question},
    failure::Outcome,
    geth::{
        chaingen,
        engine::{Attributes, Engine},
    },
    install::GETH,
    master::{self, Node, Tracer},
    product::{self, Product},
    rpc::{Client, quantity},
    scenario::{Carrier, Chain, Net, Plan},
    settings::{self, Log},
    wait,
};
use serde_json::{Value, json};

use crate::consensus::PATIENCE;

/// Blocks of the chain that geth was synced to; they are final.
const BLOCKS: u32 = 64;
/// The block that is exported: not final when the hook begins.
const BASE: u32 = BLOCKS + 2;
/// Blocks of a chain that is longer than what geth keeps in memory.
const MANY_BLOCKS: u32 = 200;
/// Parts of the names of methods that need no state.
const STATELESS: [&str; 6] = [
    "eth_getBlock",
    "eth_getTransactionBy",
    "eth_getTransactionReceipt",
    "eth_getLogs",
    "eth_getUncle",
    "debug_getRaw",
];

/// A network whose master was synced by a geth without the hook, and whose consensus client is the test.
struct Adopted {
    net: Net,
    engine: Engine,
    /// Hash and time of the canonical blocks, from the one that was exported on.
    chain: Vec<(String, u64)>,
}

impl Adopted {
    /// The master runs with the hook, and its state of before is in a file; `None`, said aloud, without Go.
    fn new(build: fn(&Plan) -> Outcome<Net>) -> Option<Self> {
        if !GETH.met() {
            println!("not run: no Go for a real geth");
            return None;
        }
        let chain = chaingen::varied(BLOCKS, 5).unwrap();
        let plan = Plan { chain: Chain::Stock(chain.clone()), carrier: Carrier::Segment, replicas: 1 };
        let mut net = build(&plan).unwrap();
        let engine = net.node().engine().unwrap();
        engine.announce(&chain.join("headfcu.json")).unwrap();
        let head = net.master().call("eth_getBlockByNumber", &json!(["latest", false])).unwrap();
        let hash = head.get("hash").and_then(Value::as_str).unwrap().to_owned();
        let time = head.get("timestamp").and_then(quantity).unwrap();
        let mut world = Self { net, engine, chain: vec![(hash, time)] };
        world.grow(0, 2);
        world.chain.drain(..2);
        world.net.node().stop().unwrap();
        let dump = world.net.node().run(&["snapshot", "dump"]).unwrap();
        fs::write(world.net.dir().join("dump"), dump).unwrap();
        world.net.node().tracer(Tracer::Hook);
        world.net.node().restart().unwrap();
        world.engine.choose(&world.chain[0].0, None).unwrap();
        world.net.tap().edit(|text| settings::adopting(text, false)).unwrap();
        Some(world)
    }

    /// Replaces the newest blocks by new ones; each of these becomes the head.
    fn grow(&mut self, replaced: usize, blocks: usize) {
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
    fn followed(&mut self) {
        let (head, _) = self.chain.last().unwrap().clone();
        let replica = self.net.replica(0).unwrap();
        wait::until("the replica to have the head", PATIENCE, || {
            self.net.replica_daemon(0).unwrap().alive().map_err(|failure| failure.to_string())?;
            let found = replica.block_hash("latest").map_err(|failure| failure.to_string())?;
            if found == head { Ok(()) } else { Err(found) }
        })
        .unwrap_or_else(|failure| panic!("{failure}\n{}", self.net.last_words()));
    }

    /// The import of the state of `block`, killed at a point, if one is named.
    fn import(&mut self, block: u32, killed: &str) -> Output {
        let config = self.net.replica_daemon(0).unwrap().config().to_owned();
        let mut command = Product::build().unwrap().command("maidenlane");
        command.args(["replica", "import", "--journal-rows", "100", "--block", &block.to_string()]);
        command.arg("--config").arg(config).arg("--dump").arg(self.net.dir().join("dump"));
        command.arg("--node").arg(self.net.node().ipc());
        command.env("MAIDENLANE_FAILPOINT", killed).output().unwrap()
    }

    fn imported(&mut self) -> Value {
        let output = self.import(BASE, "");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)))
    }

    /// Checks that the replica answers as geth does, from its floor up.
    fn check(&mut self) {
        let (master, replica) = (self.net.master(), self.net.replica(0).unwrap());
        let head = master.block_number().unwrap();
        let above = compare::questions_from(&master, u64::from(BASE) + 1, head).unwrap();
        agree(&master, &replica, &above);
        let below = compare::questions(&master, BASE.into()).unwrap();
        let stateless = |question: &Question| STATELESS.iter().any(|part| question.method.starts_with(part));
        agree(&master, &replica, &below.into_iter().filter(stateless).collect::<Vec<_>>());
        let balance = json!([format!("0x{:040x}", 0xc0de), format!("{:#x}", BASE - 1)]);
        let pruned = replica.respond("eth_getBalance", &balance).unwrap();
        assert_eq!(pruned.pointer("/error/code"), Some(&json!(4444)), "{pruned}");
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn agree(master: &Client, replica: &Client, questions: &[Question]) {
    let comparison = Comparison::of(master, replica, questions).unwrap();
    assert!(comparison.perfect(), "{:#?}", comparison.differences);
}

/// The whole way: dump, hook, START when it is final, import, reorganisation, restart.
fn whole_way(mut world: Adopted, proofs: bool) {
    world.grow(0, 3);
    world.net.tap().launch().unwrap();
    let waits = format!("the feed begins at block {BASE} ({}) once that is final", world.chain[0].0);
    wait::until("the tap to wait for finality", PATIENCE, || match world.net.tap().readiness() {
        Err(said) if said.contains(&waits) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .unwrap();
    let (head, base) = (world.chain.last().unwrap().0.clone(), world.chain[0].0.clone());
    world.engine.choose(&head, Some(&base)).unwrap();
    world.net.tap().ready(PATIENCE).unwrap();
    let refused = said(&world.import(BASE - 1, ""));
    assert!(
        refused.contains("the state has root") && refused.contains(&format!("block {}", BASE - 1)),
        "{refused}"
    );
    let done = world.imported();
    assert_eq!((&done["number"], &done["hash"]), (&json!(BASE), &json!(base)), "{done}");
    assert_eq!(done["oldestBlock"], 0, "{done}");
    assert!(done["slots"].as_u64().unwrap() > 100, "{done}");
    let again = said(&world.import(BASE, ""));
    assert!(again.contains(&format!("holds block {BASE}")), "{again}");
    world.net.replica_daemon(0).unwrap().start().unwrap();
    world.followed();
    world.check();
    // geth goes back to no block that is final, and the feed's first one is.
    world.grow(2, 5);
    world.followed();
    world.net.replica_daemon(0).unwrap().stop().unwrap();
    world.grow(1, 2);
    world.net.replica_daemon(0).unwrap().start().unwrap();
    world.followed();
    world.check();
    if proofs {
        check_proofs(&world.net.master(), &world.net.replica(0).unwrap());
    }
    world.net.stop().unwrap();
    let config = world.net.replica_daemon(0).unwrap().config().display().to_string();
    world.net.command(&["replica", "verify", "--config", &config]).unwrap();
}

/// Checks that accounts of the state that was imported are proved as geth proves them: those of the genesis.
fn check_proofs(master: &Client, replica: &Client) {
    let genesis = chaingen::varied(BLOCKS, 5).unwrap().join("genesis.json");
    let genesis: Value = serde_json::from_slice(&fs::read(genesis).unwrap()).unwrap();
    let slots: Vec<_> = (0..4).map(|slot| format!("{slot:#x}")).collect();
    let question = |address: &String| {
        let params = json!([format!("0x{}", address.trim_start_matches("0x")), slots, "latest"]);
        Question { method: "eth_getProof", params }
    };
    let questions: Vec<_> = genesis["alloc"].as_object().unwrap().keys().map(question).collect();
    assert!(questions.len() > 5, "{genesis}");
    agree(master, replica, &questions);
}

#[test]
fn a_geth_without_the_hook_becomes_a_master() {
    let Some(world) = Adopted::new(Net::build) else { return };
    whole_way(world, false);
}

#[test]
fn an_imported_state_can_be_proved() {
    let Some(world) = Adopted::new(Net::proving) else { return };
    whole_way(world, true);
}

/// Points of an import at which it is killed, each for its first and its third passage, if it has that many.
fn points() -> Vec<String> {
    let text = fs::read_to_string(product::root().join("daemons/lib/bootstrap/src/failpoints.rs")).unwrap();
    let all: Vec<&str> =
        text.split('"').skip(1).step_by(2).filter(|word| word.starts_with("import.")).collect();
    assert!(all.len() > 5, "{all:?}");
    all.into_iter().flat_map(|name| [1, 3].map(|nth| format!("{name}:{nth}"))).collect()
}

#[test]
fn an_import_killed_at_any_point_goes_on() {
    let Some(mut world) = Adopted::new(Net::proving) else { return };
    let state = world.net.replica_daemon(0).unwrap().state().to_owned();
    let whole = world.imported();
    let dump = world.net.dump(0).unwrap();
    let mut killed = 0;
    for name in points() {
        fs::remove_dir_all(&state).unwrap();
        let output = world.import(BASE, &name);
        // Some are passed once.
        assert!(output.status.code().is_none() || name.ends_with(":3"), "{name}: {}", said(&output));
        killed += usize::from(output.status.code().is_none());
        if output.status.success() {
            continue;
        }
        assert!(!state.join("db").exists() || name.contains("after_place"), "{name} left something to serve");
        assert_eq!(world.imported(), whole, "{name}");
        assert_eq!(world.net.dump(0).unwrap(), dump, "{name}");
        assert!(!state.join("import").exists(), "{name} left its files");
    }
    assert!(killed > 8, "{killed} kills");
    world.net.node().stop().unwrap();
}

/// Export of a node: the state that geth has on the disk, some blocks behind its head.
fn export(arguments: &[&str]) -> Option<()> {
    if !GETH.met() {
        println!("not run: no Go for a real geth");
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let chain = Chain::Stock(chaingen::varied(MANY_BLOCKS, 5).unwrap());
    let prepare = |node: &mut Node| arguments.iter().for_each(|argument| node.argument(argument));
    let mut node = Node::prepared(&master::build().unwrap(), dir.path(), &chain, prepare).unwrap();
    node.stop().unwrap();
    for kind in ["snapshot", "code"] {
        let file = dir.path().join(format!("{kind}.gz")).display().to_string();
        node.run(&["db", "export", kind, &file]).unwrap();
    }
    node.restart().unwrap();
    let chain_id = node.rpc().quantity("eth_chainId", &json!([])).unwrap();
    let (config, state) = (dir.path().join("replica.dhall"), dir.path().join("state"));
    let text = settings::replica(chain_id, &Log::Segment(dir.path().join("log")), &state);
    fs::write(&config, settings::proving(&text)).unwrap();
    let import = |block: u64| {
        let path = |path: &Path| path.display().to_string();
        let (snapshot, code) = (path(&dir.path().join("snapshot.gz")), path(&dir.path().join("code.gz")));
        let mut command = Product::build().unwrap().command("maidenlane");
        command.args([
            "replica",
            "import",
            "--config",
            &path(&config),
            "--snapshot",
            &snapshot,
            "--code",
            &code,
        ]);
        let output =
            command.args(["--block", &block.to_string(), "--node", &path(&node.ipc())]).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    };
    // Whoever named the wrong block is told the root, and finds the right one.
    let said = import(MANY_BLOCKS.into()).unwrap_err();
    let root = said.split("the state has root ").nth(1).and_then(|rest| rest.split(',').next()).expect(&said);
    let blocks = (0..u64::from(MANY_BLOCKS)).rev().find(|number| {
        let block = node.rpc().call("eth_getBlockByNumber", &json!([format!("{number:#x}"), false])).unwrap();
        block["stateRoot"] == root
    });
    let number = blocks.unwrap_or_else(|| panic!("no block has the root {root}"));
    assert!(number > 0, "only the genesis was exported");
    let done: Value = serde_json::from_str(&import(number).unwrap()).unwrap();
    assert_eq!((&done["number"], &done["oldestBlock"]), (&json!(number), &json!(0)), "{done}");
    assert!(done["slots"].as_u64().unwrap() > 100, "{done}");
    node.stop().unwrap();
    Some(())
}

#[test]
fn an_export_of_the_disk_layer_is_a_state() {
    // A buffer of no size: geth writes what is 128 blocks old.
    export(&["--cache.gc=0"]);
}
