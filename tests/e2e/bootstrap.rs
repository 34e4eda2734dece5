//! A geth that was synced without the hook becomes a master, and a replica begins with the state that geth exports.

mod adopted;
mod backfill;

use std::{fs, time::Instant};

use maidenlane_tests::{
    chain::Scheme, compare::Question, geth::chaingen, master::Tracer, product, rpc::Client, scenario::Net,
    wait,
};
use serde_json::{Value, json};

use crate::consensus::PATIENCE;
use adopted::{Adopted, agree, said};

/// Blocks of the chain that geth was synced to.
const BLOCKS: u32 = 64;
/// Blocks of a chain that is longer than what geth keeps in memory.
const MANY_BLOCKS: u32 = 200;

/// The whole way: dump, hook, START when it is final, import, reorganisation, restart.
fn dumped_way(mut world: Adopted, proofs: bool) {
    world.grow(0, 3);
    world.net.tap().launch().unwrap();
    let waits = format!("the feed begins at block {} ({}) once that is final", world.base, world.chain[0].0);
    wait::until("the tap to wait for finality", PATIENCE, || match world.net.tap().readiness() {
        Err(said) if said.contains(&waits) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .unwrap();
    let (head, base) = (world.chain.last().unwrap().0.clone(), world.chain[0].0.clone());
    world.engine.choose(&head, Some(&base)).unwrap();
    world.net.tap().ready(PATIENCE).unwrap();
    let refused = said(&world.import(world.base - 1, ""));
    assert!(
        refused.contains("the state has root") && refused.contains(&format!("block {}", world.base - 1)),
        "{refused}"
    );
    let done = world.imported();
    assert_eq!((&done["number"], &done["hash"]), (&json!(world.base), &json!(base)), "{done}");
    assert_eq!(done["oldestBlock"], 0, "{done}");
    assert!(done["slots"].as_u64().unwrap() > 100, "{done}");
    let again = said(&world.import(world.base, ""));
    assert!(again.contains(&format!("holds block {}", world.base)), "{again}");
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
    let Some(world) = Adopted::dumped(Net::build, Scheme::Hash, BLOCKS) else { return };
    dumped_way(world, false);
}

#[test]
fn an_imported_state_can_be_proved() {
    let Some(world) = Adopted::dumped(Net::proving, Scheme::Path, BLOCKS) else { return };
    dumped_way(world, true);
}

/// Points at which a command is killed, of those that its crate names, each for its first passage and another one.
fn points(of: &str, prefix: &str, nth: u32) -> Vec<String> {
    let path = product::root().join(format!("daemons/lib/{of}/src/failpoints.rs"));
    let text = fs::read_to_string(path).unwrap();
    let all: Vec<&str> = text.split('"').skip(1).step_by(2).filter(|word| word.starts_with(prefix)).collect();
    assert!(all.len() > 5, "{all:?}");
    all.into_iter().flat_map(|name| [1, nth].map(|nth| format!("{name}:{nth}"))).collect()
}

#[test]
fn an_import_killed_at_any_point_goes_on() {
    let Some(mut world) = Adopted::dumped(Net::proving, Scheme::Path, BLOCKS) else { return };
    let state = world.net.replica_daemon(0).unwrap().state().to_owned();
    let whole = world.imported();
    let dump = world.net.dump(0).unwrap();
    let mut killed = 0;
    for name in points("bootstrap", "import.", 3) {
        fs::remove_dir_all(&state).unwrap();
        let output = world.import(world.base, &name);
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

/// The way of large states: what geth has on its disk is exported from a copy, and another one executes the blocks above.
#[test]
fn a_large_state_is_adopted_though_each_step_is_killed() {
    let Some(mut world) = Adopted::stock(Net::build, Scheme::Path, MANY_BLOCKS) else { return };
    let plan = String::from_utf8(world.adopt(&["--plan"], "").stdout).unwrap();
    assert!(plan.contains("runs at block 200, its disk 128 blocks behind"), "{plan}");
    assert!(plan.contains("execute 128 blocks once more"), "{plan}");
    let refused = said(&world.adopt(&[], ""));
    assert!(refused.contains("geth, or one of its commands, runs on"), "{refused}");
    world.net.node().stop().unwrap();
    let refused = world.cramped();
    assert!(refused.contains("the hook wrote no frames of block"), "{refused}");
    // geth goes on after all, and what was begun is of no use.
    assert_eq!(world.adopt(&[], "adopt.copied").status.code(), None);
    world.resumed();
    world.grow(0, 2);
    world.net.node().stop().unwrap();
    let whole = world.adopted(&[]);
    assert_eq!(whole["head"], u64::from(MANY_BLOCKS) + 2, "{whole}");
    assert_eq!(world.adopted(&[]), whole, "done twice");
    // Nor is what was done once, when geth has run since and is stopped again.
    world.resumed();
    world.grow(0, 1);
    world.net.node().stop().unwrap();
    // Frames of the first adoption begin at another block.
    let refused = said(&world.adopt(&[], ""));
    assert!(refused.contains("the spool is not empty"), "{refused}");
    fs::remove_dir_all(world.net.node().spool()).unwrap();
    let (data, whole) = (world.data(), world.adopted(&[]));
    assert_eq!(whole["head"], u64::from(MANY_BLOCKS) + 3, "{whole}");
    println!("geth could not run for {} ms", whole["downtime_ms"]);
    for name in points("adopt", "adopt.", 2) {
        fs::remove_dir_all(world.path("adopt")).unwrap();
        fs::remove_dir_all(world.net.node().spool()).unwrap();
        let output = world.adopt(&[], &name);
        // Most are passed once.
        assert!(output.status.code().is_none() || name.ends_with(":2"), "{name}: {}", said(&output));
        let again = world.adopted(&[]);
        assert_eq!((&again["hash"], &again["head"]), (&whole["hash"], &whole["head"]), "{name}");
        assert!(!world.path("adopt/state").exists(), "{name} left its copy");
    }
    assert!(world.data() == data, "the node's own data have changed");
    world.hooked();
    imported_way(world);
}

/// A replica begins with what was exported, and follows.
fn imported_way(mut world: Adopted) {
    // Whoever names the wrong block is told the root.
    let refused = said(&world.import(world.base + 1, ""));
    assert!(refused.contains("the state has root"), "{refused}");
    let done = world.imported();
    assert_eq!((&done["number"], &done["oldestBlock"]), (&json!(world.base), &json!(0)), "{done}");
    assert!(done["slots"].as_u64().unwrap() > 100, "{done}");
    world.net.start().unwrap();
    world.grow(0, 3);
    world.followed();
    world.check();
    world.grow(2, 4);
    world.followed();
    world.net.stop().unwrap();
    let config = world.net.replica_daemon(0).unwrap().config().display().to_string();
    world.net.command(&["replica", "verify", "--config", &config]).unwrap();
}

/// A command that is killed leaves a geth that executes blocks, and no other one may write to the spool until that ends.
#[test]
fn a_geth_that_outlives_the_command_keeps_others_out() {
    let Some(mut world) = Adopted::stock(Net::build, Scheme::Path, MANY_BLOCKS) else { return };
    world.net.node().stop().unwrap();
    let go_on = world.orphaned();
    for _ in 0..2 {
        let refused = said(&world.adopt(&[], ""));
        assert!(refused.contains("geth, or one of its commands, runs on"), "{refused}");
    }
    assert!(world.net.node().restart().is_err(), "a geth started beside it");
    fs::write(go_on, "").unwrap();
    wait::until("it to end", PATIENCE, || match world.adopt(&[], "") {
        done if done.status.success() => Ok(()),
        refused => Err(said(&refused)),
    })
    .unwrap();
    assert_eq!(world.adopted(&[])["head"], MANY_BLOCKS);
}

/// A geth that was killed has lost what it held in memory: at its next start it rewinds.
#[test]
fn a_geth_that_was_killed_is_not_adopted() {
    let Some(mut world) = Adopted::stock(Net::build, Scheme::Path, MANY_BLOCKS) else { return };
    world.grow(0, 3);
    world.net.node().kill();
    let output = world.adopt(&[], "");
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    assert!(said(&output).contains("does not take over what the node held in memory"), "{}", said(&output));
    assert!(!world.path("adopt/state").exists() && !world.path("adopt/rerun").exists());
    fs::remove_file(world.net.node().data().join("geth/triedb/merkle.journal")).unwrap();
    let refused = said(&world.adopt(&[], ""));
    assert!(refused.contains("geth has left no journal"), "{refused}");
}

/// A master is lost with its disk and its spool. A node that never had the hook takes over its feed, whose replicas go on.
#[test]
fn another_node_takes_over_the_feed_of_a_lost_master() {
    let Some(mut world) = Adopted::stock(Net::build, Scheme::Path, MANY_BLOCKS) else { return };
    world.net.node().stop().unwrap();
    let other = world.another();
    world.adopted(&[]);
    world.hooked();
    world.imported();
    let base = world.base;
    world.net.start().unwrap();
    world.grow(0, 3);
    world.followed();
    world.shared(&other, 3);
    world.net.tap().stop().unwrap();
    world.lost(other);
    let begun = Instant::now();
    fs::remove_dir_all(world.path("adopt")).unwrap();
    let done = world.adopted(&[]);
    assert!(world.base < u64::from(MANY_BLOCKS) && done["head"] == u64::from(MANY_BLOCKS) + 3, "{done}");
    world.net.node().tracer(Tracer::Hook);
    world.resumed();
    world.net.tap().start().unwrap();
    world.grow(0, 2);
    world.followed();
    println!("the next block was published {} ms after the loss", begun.elapsed().as_millis());
    world.base = base;
    world.check();
    let records = world.net.feed().unwrap();
    let of = |kind: &str| {
        let kinds = records.iter().map(|line| line.get("entry").unwrap_or(line).get("record"));
        kinds.filter(|found| found.and_then(Value::as_str) == Some(kind)).count()
    };
    assert_eq!((of("Open"), of("Start")), (2, 1), "a second writer goes on where the first one was");
    world.net.stop().unwrap();
}

/// A state kept by hash is that of the head only.
#[test]
fn a_state_kept_by_hash_is_dumped() {
    let Some(mut world) = Adopted::stock(Net::build, Scheme::Hash, BLOCKS) else { return };
    world.net.node().stop().unwrap();
    let refused = said(&world.adopt(&["--plan"], ""));
    assert!(refused.contains("geth keeps its state by hash") && refused.contains("--dump"), "{refused}");
}
