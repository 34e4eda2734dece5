//! A geth that was synced without the hook becomes a master, and a replica begins with the state that geth exports.

mod adopted;
mod adopting;
mod backfill;

use std::fs;

use maidenlane_tests::{
    chain::Scheme, compare::Question, geth::chaingen, product, rpc::Client, scenario::Net, wait,
};
use serde_json::{Value, json};

use crate::consensus::PATIENCE;
use adopted::{Adopted, agree, said};

/// Blocks of the chain that geth was synced to.
const BLOCKS: u32 = 64;

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

/// The same blocks from archives of the node, with no node there.
#[test]
fn archives_stand_in_for_the_node_that_an_import_asks() {
    let Some(mut world) = Adopted::dumped(Net::build, Scheme::Path, BLOCKS) else { return };
    let (whole, dump) = (world.imported(), world.net.dump(0).unwrap());
    let state = world.net.replica_daemon(0).unwrap().state().to_owned();
    fs::remove_dir_all(&state).unwrap();
    world.net.node().stop().unwrap();
    let era = world.path("era").display().to_string();
    let base = world.base.to_string();
    world.net.node().run(&["export-history", "--era.format", "ere", &era, "0", &base]).unwrap();
    let by_hash = world.chain[0].0.clone();
    let refused = said(&world.import_from(&["--era", &era], &by_hash, ""));
    assert!(refused.contains("name --block by its number"), "{refused}");
    let done = world.import_from(&["--era", &era], &base, "");
    let done: Value = serde_json::from_slice(&done.stdout).unwrap_or_else(|_| panic!("{}", said(&done)));
    assert_eq!((done, world.net.dump(0).unwrap()), (whole, dump));
}

/// Points at which a command is killed, as its crate names them.
fn points(of: &str, prefix: &str) -> Vec<String> {
    let path = product::root().join(format!("daemons/lib/{of}/src/failpoints.rs"));
    let text = fs::read_to_string(path).unwrap();
    let words = text.split('"').skip(1).step_by(2).filter(|word| word.starts_with(prefix));
    let all: Vec<_> = words.map(str::to_owned).collect();
    assert!(all.len() > 5, "{all:?}");
    all
}

#[test]
fn an_import_killed_at_any_point_goes_on() {
    let Some(mut world) = Adopted::dumped(Net::proving, Scheme::Path, BLOCKS) else { return };
    let state = world.net.replica_daemon(0).unwrap().state().to_owned();
    let whole = world.imported();
    let dump = world.net.dump(0).unwrap();
    let mut killed = 0;
    let passages = |name: String| [1, 3].map(|nth| format!("{name}:{nth}"));
    for name in points("bootstrap", "import.").into_iter().flat_map(passages) {
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
