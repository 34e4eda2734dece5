//! The hook inside a real geth: what it writes, and that geth outlives everything that goes wrong in it.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
};

use maidenlane_tests::{
    geth::{chaingen, engine::Attributes},
    master::{self, Node, Tracer},
    product,
    rpc::quantity,
    scenario::Chain,
    suite,
};
use serde_json::{Value, json};
use tempfile::TempDir;

const KINDS: [char; 10] = ['?', 'I', 'G', 'B', 'R', 'S', 'T', 'E', 'F', 'H'];
const INIT: u8 = 1;
const RECEIPTS: u8 = 4;
const STATE: u8 = 5;
const TRIE: u8 = 6;
const BLOCKS: usize = 64;

/// A node on our own chain, imported unless a test does that itself.
struct Master {
    node: Node,
    chain: PathBuf,
    dir: TempDir,
}

fn master(prepare: impl FnOnce(&mut Node)) -> Master {
    let master = without_chain(&master::build().unwrap(), prepare);
    master.node.init(&master.chain.join("genesis.json")).unwrap();
    master
}

fn without_chain(geth: &Path, prepare: impl FnOnce(&mut Node)) -> Master {
    on_chain(geth, chaingen::chain(u32::try_from(BLOCKS).unwrap(), 3).unwrap(), prepare)
}

fn on_chain(geth: &Path, chain: PathBuf, prepare: impl FnOnce(&mut Node)) -> Master {
    let dir = tempfile::Builder::new().prefix("maidenlane-").tempdir().unwrap();
    let mut node = Node::new(geth, dir.path(), &Chain::Import(chain.clone())).unwrap();
    prepare(&mut node);
    Master { node, chain, dir }
}

impl Master {
    fn import(&self) {
        self.node.import(&self.chain.join("chain.rlp"), Tracer::Hook).unwrap();
    }

    /// Starts it and makes the imported chain's end its head.
    fn run(&mut self) {
        self.node.restart().unwrap();
        self.node.engine().unwrap().announce(&self.chain.join("headfcu.json")).unwrap();
        assert_eq!(self.node.rpc().block_number().unwrap(), BLOCKS as u64);
    }

    /// Number, time and hash of its head.
    fn head(&self) -> (u64, u64, String) {
        let head = self.node.rpc().call("eth_getBlockByNumber", &json!(["latest", false])).unwrap();
        let number = |name: &str| quantity(&head[name]).unwrap();
        (number("number"), number("timestamp"), head["hash"].as_str().unwrap().to_owned())
    }

    /// Executes one more block and makes it the head.
    fn extend(&self, recipient: u8) {
        let (number, time, hash) = self.head();
        self.node.engine().unwrap().extend(&hash, &Attributes::new(time + 10, recipient)).unwrap();
        assert_eq!(self.head().0, number + 1);
    }

    fn kinds(&self) -> String {
        kinds(&self.node.spool())
    }
}

/// Kind and bytes of every frame, one list per segment.
fn segments(spool: &Path) -> Vec<Vec<(u8, Vec<u8>)>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(spool).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let frames = |path: &PathBuf| {
        let data = fs::read(path).unwrap();
        let (mut rest, mut frames) = (data.as_slice(), Vec::new());
        while rest.len() >= 10 {
            let end = 8 + u32::from_le_bytes(rest[..4].try_into().unwrap()) as usize;
            if end > rest.len() {
                break;
            }
            frames.push((rest[9], rest[..end].to_vec()));
            rest = &rest[end..];
        }
        frames
    };
    paths.iter().map(frames).collect()
}

fn kinds(spool: &Path) -> String {
    let line = |segment: Vec<(u8, Vec<u8>)>| -> String {
        segment.iter().map(|(kind, _)| KINDS[usize::from(*kind)]).collect()
    };
    segments(spool).into_iter().map(line).collect::<Vec<_>>().join("|")
}

fn states(spool: &Path) -> Vec<Vec<u8>> {
    of_kind(spool, STATE)
}

fn of_kind(spool: &Path, wanted: u8) -> Vec<Vec<u8>> {
    let all = segments(spool).into_iter().flatten();
    all.filter(|(kind, _)| *kind == wanted).map(|(_, bytes)| bytes).collect()
}

/// Splits a file of RLP lists behind the first `count`.
fn split(chain: &Path, count: usize) -> (Vec<u8>, Vec<u8>) {
    let bytes = fs::read(chain).unwrap();
    let mut at = 0;
    for _ in 0..count {
        let sizes = usize::from(bytes[at] - 0xf7); // a block is never shorter than 56 bytes
        let size = bytes[at + 1..=at + sizes].iter().fold(0, |size, byte| size << 8 | usize::from(*byte));
        at += 1 + sizes + size;
    }
    (bytes[..at].to_vec(), bytes[at..].to_vec())
}

#[test]
fn the_hooks_own_tests_pass_inside_geth() {
    let hook = product::root().join("daemons/tap/geth");
    let source = master::source(&product::cache().join("geth")).unwrap();
    let place = source.join("eth/tracers/live");
    fs::copy(hook.join("hook.go"), place.join("maidenlane.go")).unwrap();
    fs::copy(hook.join("hook_test.go"), place.join("maidenlane_test.go")).unwrap();
    let tested = Command::new("go")
        .args(["test", "-race", "./eth/tracers/live"])
        .current_dir(&source)
        .output()
        .unwrap();
    assert!(
        tested.status.success(),
        "{}{}",
        String::from_utf8_lossy(&tested.stdout),
        String::from_utf8_lossy(&tested.stderr)
    );
}

#[test]
fn two_masters_fed_the_same_blocks_write_the_same_states_and_nodes() {
    let trie = |node: &mut Node| node.hook("trie", json!(true));
    let mut one = master(trie);
    // However they keep their state.
    let mut two = master(|node| {
        trie(node);
        node.argument("--state.scheme=hash");
    });
    one.import();
    // The other in two parts, with a restart between.
    let (first, rest) = split(&two.chain.join("chain.rlp"), 40);
    for (name, part) in [("first", first), ("rest", rest)] {
        let path = two.dir.path().join(name);
        fs::write(&path, part).unwrap();
        two.node.import(&path, Tracer::Hook).unwrap();
    }
    one.run();
    two.run();
    let (_, time, hash) = one.head();
    let payload = one.node.engine().unwrap().extend(&hash, &Attributes::new(time + 10, 9)).unwrap();
    two.node.engine().unwrap().execute(&payload).unwrap();
    one.node.stop().unwrap();
    two.node.stop().unwrap();
    for kind in [STATE, TRIE] {
        let [left, right] = [&one, &two].map(|side| of_kind(&side.node.spool(), kind));
        assert_eq!(left.len(), BLOCKS + 1);
        assert!(left == right, "frames of kind {kind} differ");
    }
    assert_eq!(one.kinds(), format!("IG{}|IBRSTE", "BRSTE".repeat(BLOCKS)));
    assert_eq!(two.kinds(), format!("IG{}|I{}|IBRSTE", "BRSTE".repeat(40), "BRSTE".repeat(BLOCKS - 40)));
}

#[test]
fn every_supported_geth_writes_the_same_frames() {
    let written = |geth: &Path| {
        let mut master = without_chain(geth, |_| ());
        // Older versions do not know that a fork without blob parameters has those of the one before.
        let mut genesis: Value =
            serde_json::from_slice(&fs::read(master.chain.join("genesis.json")).unwrap()).unwrap();
        let blobs = genesis.pointer_mut("/config/blobSchedule").unwrap();
        blobs["osaka"] = blobs["prague"].clone();
        let explicit = master.dir.path().join("genesis.json");
        fs::write(&explicit, genesis.to_string()).unwrap();
        master.node.init(&explicit).unwrap();
        master.import();
        master.run();
        let client = master.node.rpc().call("web3_clientVersion", &json!([])).unwrap();
        master.node.stop().unwrap();
        let frames = segments(&master.node.spool()).into_iter().flatten();
        // INIT says who wrote, GENESIS and what follows only what.
        (client.to_string(), frames.filter(|(kind, _)| *kind != INIT).collect::<Vec<_>>())
    };
    let (_, usual) = written(&master::build().unwrap());
    assert_eq!(usual.len(), 1 + 4 * BLOCKS);
    for version in master::supported() {
        let (client, frames) = written(&master::build_version(version).unwrap());
        assert!(client.contains(&format!("v{version}-")), "{client}");
        assert!(frames == usual, "{version} writes other frames");
    }
}

#[test]
fn a_syncing_master_writes_the_same_states() {
    let [mut one, mut two] = [master(|_| ()), master(|_| ())];
    one.import();
    let path = two.dir.path().join("first");
    fs::write(&path, split(&two.chain.join("chain.rlp"), 40).0).unwrap();
    two.node.import(&path, Tracer::Hook).unwrap();
    one.run();
    two.node.restart().unwrap();
    two.node.connect(&one.node).unwrap();
    // It knows none of the last blocks: this makes it sync, and is taken once it has.
    two.node.engine().unwrap().announce(&two.chain.join("headfcu.json")).unwrap();
    assert_eq!(two.head().2, one.head().2);
    one.node.stop().unwrap();
    two.node.stop().unwrap();
    assert!(states(&one.node.spool()) == states(&two.node.spool()), "STATE frames differ");
}

/// Some versions of geth run hooks for `debug_executionWitness`, too, beside the import.
#[test]
fn witnesses_beside_a_sync_change_no_frame() {
    let blocks = if suite::long() { 300 } else { 100 };
    let chain = chaingen::chain(blocks, 50).unwrap();
    let geth = master::build().unwrap();
    let [mut one, mut two] = [(); 2].map(|()| on_chain(&geth, chain.clone(), |_| ()));
    // Beyond Byzantium: before it geth has no witness.
    let first = blocks / 10 * 6;
    let path = two.dir.path().join("first");
    fs::write(&path, split(&chain.join("chain.rlp"), first as usize).0).unwrap();
    for (master, blocks) in [(&mut one, chain.join("chain.rlp")), (&mut two, path)] {
        master.node.init(&chain.join("genesis.json")).unwrap();
        master.node.import(&blocks, Tracer::Hook).unwrap();
        master.node.restart().unwrap();
    }
    one.node.engine().unwrap().announce(&chain.join("headfcu.json")).unwrap();
    two.node.connect(&one.node).unwrap();
    let (synced, witnesses) = (AtomicBool::new(false), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let rpc = two.node.rpc();
                while !synced.load(Ordering::Relaxed) {
                    rpc.call("debug_executionWitness", &json!([format!("{first:#x}")])).unwrap();
                    witnesses.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let announced = two.node.engine().unwrap().announce(&chain.join("headfcu.json"));
        synced.store(true, Ordering::Relaxed);
        announced.unwrap();
    });
    assert_eq!(two.head().2, one.head().2);
    one.node.stop().unwrap();
    two.node.stop().unwrap();
    for kind in [RECEIPTS, STATE] {
        let [whole, synced] = [&one, &two].map(|master| of_kind(&master.node.spool(), kind));
        assert!(whole == synced, "beside {witnesses:?} witnesses, frames of kind {kind} differ");
    }
    assert!(witnesses.into_inner() > 10, "too few witnesses to race with anything");
}

#[test]
fn the_committed_spool_is_what_the_hook_writes() {
    let one = master(|_| ());
    one.import();
    assert!(states(&one.node.spool()) == states(&product::vectors().join("spool")), "record again");
}

#[test]
fn siblings_are_executed_before_one_of_them_is_chosen() {
    let mut one = master(|_| ());
    one.import();
    one.run();
    one.extend(0); // geth goes back to no block that is final
    let (_, time, parent) = one.head();
    let engine = one.node.engine().unwrap();
    let [left, right] =
        [1, 2].map(|recipient| engine.build(&parent, &Attributes::new(time + 10, recipient)).unwrap());
    engine.execute(&left).unwrap();
    engine.execute(&right).unwrap();
    assert_eq!(one.head().2, parent);
    for chosen in [&right, &left, &right] {
        engine.choose(chosen.hash().unwrap(), None).unwrap();
        assert_eq!(one.head().2, chosen.hash().unwrap());
    }
    engine.choose(&parent, None).unwrap();
    assert_eq!(one.head().2, parent);
    // Nothing but the three executions is in the spool.
    assert!(one.kinds().ends_with("|IBRSEBRSEBRSE"), "{}", one.kinds());
}

#[test]
fn geth_outlives_a_panic_in_the_hook() {
    let mut one = master(|node| node.environment("MAIDENLANE_HOOK_PANIC", "65"));
    one.import();
    one.run();
    one.extend(1); // 65 panics
    one.extend(2);
    one.node.stop().unwrap();
    assert!(one.kinds().ends_with("|IHBRSE"), "{}", one.kinds());
}

#[test]
fn an_import_outlives_a_panic_in_the_hook() {
    let mut one = master(|node| node.environment("MAIDENLANE_HOOK_PANIC", "30"));
    one.import();
    let expected = format!("IG{}H{}", "BRSE".repeat(29), "BRSE".repeat(BLOCKS - 30));
    assert_eq!(one.kinds(), expected);
    one.run();
}

#[test]
fn geth_outlives_a_full_spool() {
    let mut one = master(|_| ());
    one.import();
    one.node.hook("minFree_MB", json!(1_u64 << 30));
    one.run();
    one.extend(1);
    one.extend(2);
    // Nothing is written while the disk is full, and what was lost is said at the end.
    assert_eq!(one.kinds(), format!("IG{}", "BRSE".repeat(BLOCKS)));
    one.node.stop().unwrap();
    assert_eq!(one.kinds(), format!("IG{}|IH", "BRSE".repeat(BLOCKS)));
}

#[test]
fn geth_outlives_a_spool_that_cannot_be_written() {
    let mut one = master(|_| ());
    one.import();
    let spool = one.node.spool();
    let aside = spool.with_extension("aside");
    one.node.restart().unwrap();
    fs::rename(&spool, &aside).unwrap();
    fs::write(&spool, "not a directory").unwrap();
    one.node.engine().unwrap().announce(&one.chain.join("headfcu.json")).unwrap();
    one.extend(1);
    one.extend(2);
    // Once it can be written again, nothing was lost.
    fs::remove_file(&spool).unwrap();
    fs::rename(&aside, &spool).unwrap();
    one.extend(3);
    one.node.stop().unwrap();
    assert!(one.kinds().ends_with("|IBRSEBRSEBRSE"), "{}", one.kinds());
}

#[test]
fn a_payload_that_is_not_its_hash_leaves_no_trace() {
    let mut one = master(|_| ());
    one.import();
    one.run();
    let (_, time, parent) = one.head();
    let engine = one.node.engine().unwrap();
    let payload = engine.build(&parent, &Attributes::new(time + 10, 1)).unwrap();
    let wrong = payload.with("stateRoot", json!(format!("0x{:064x}", 1)));
    let error = engine.execute(&wrong).unwrap_err().to_string();
    assert!(error.contains("INVALID"), "{error}");
    engine.execute(&payload).unwrap();
    one.node.stop().unwrap();
    assert!(one.kinds().ends_with("|IBRSE"), "{}", one.kinds());
}
