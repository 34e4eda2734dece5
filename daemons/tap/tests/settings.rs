//! Test that the tap's settings and the files under `dhall/` agree.

#![expect(clippy::unwrap_used, reason = "a test: what is unexpected may panic")]

use maidenlane_config::lockstep::{self, TypeFile, normal_form, round_trip, unexplained};
use maidenlane_config::{feed, load, shapes};
use maidenlane_tap::config::{Begin, BeginRaw, Settings, TapRaw};
use std::path::{Path, PathBuf};
use std::time::Duration;

fn dhall() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dhall")
}

#[test]
fn the_type_is_the_committed_one() {
    let update = maidenlane_service::env("UPDATE_DHALL").is_some();
    for file in [TypeFile::of::<TapRaw>("Tap"), TypeFile::of::<BeginRaw>("Begin")] {
        file.check(&dhall().join("types"), update).unwrap();
    }
}

#[test]
fn the_minimal_example_gets_the_defaults() {
    let settings = load::<Settings>(&dhall().join("examples/minimal/tap.dhall")).unwrap().settings;
    let expect = Settings {
        spool: "/var/lib/maidenlane/spool".into(),
        ipc: "/var/lib/geth/geth.ipc".into(),
        chain_id: 1,
        genesis: None,
        topic: "maidenlane.mainnet.a.blocks".to_owned(),
        proofs_topic: None,
        pool_topic: None,
        log: feed::Log::Segment { dir: "/var/lib/maidenlane/log".into() },
        begin: Begin::Genesis,
        audit_keys: 4,
        heartbeat: Duration::from_millis(250),
        keep_depth: 90_000,
        daemon: shapes::Daemon {
            admin: "127.0.0.1:9461".parse().unwrap(),
            log_filter: "info".to_owned(),
            log_json: false,
            state_dir: "/var/lib/maidenlane/tap-main".into(),
        },
    };
    assert_eq!(settings, expect);
}

#[test]
fn the_full_example_explains_every_field() {
    let defaults = format!(
        "let M = {}/package.dhall in M.Tap.default // {{ chain = M.Chain.default, feed = M.Feed.default // \
         {{ log = M.Kafka.default // {{ tls = M.KafkaTls.default, sasl = M.Sasl.default }} }} }}",
        dhall().canonicalize().unwrap().display()
    );
    assert_eq!(unexplained::<Settings>(&defaults), Vec::<String>::new());
    let full = load::<Settings>(&dhall().join("examples/full/tap.dhall")).unwrap();
    assert!(full.settings.genesis.is_some());
}

#[test]
fn normal_form_loads_as_the_same_settings() {
    let dir = tempfile::tempdir().unwrap();
    normal_form::<Settings>(&dhall().join("examples/full/tap.dhall"), dir.path()).unwrap();
}

#[test]
fn every_value_of_the_dhall_type_is_one_of_the_rust_type() {
    let dir = tempfile::tempdir().unwrap();
    round_trip::<Settings>(dir.path(), 40).unwrap();
}

/// Loads the minimal example with `piece` replaced `by` and returns what is text after the file's name.
fn problems_of(piece: &str, by: &str) -> String {
    let (dhall, dir) = (dhall(), tempfile::tempdir().unwrap());
    lockstep::problems_of::<Settings>((&dhall, "examples/minimal/tap.dhall"), dir.path(), (piece, by))
        .unwrap()
}

#[test]
fn a_mistake_in_a_completed_record_is_told_by_field() {
    assert_eq!(problems_of(", ipc = \"/var/lib/geth/geth.ipc\"", ""), "ipc: missing, expected Text");
    assert_eq!(
        problems_of(", ipc =", ", icp ="),
        "icp: unknown field, did you mean `ipc`?; ipc: missing, expected Text"
    );
    assert_eq!(
        problems_of("id = 1", "id = -1"),
        "chain.id: expected Natural, found Integer: write the number without a sign"
    );
    assert_eq!(
        problems_of("\"/var/lib/maidenlane/spool\"", "\"spool\", heartbeat_ms = 1"),
        "spool: expected an absolute path, found `spool`; heartbeat_ms: expected 50 to 10000, found 1"
    );
}

#[test]
fn the_hook_s_default_has_room_for_the_blocks_that_are_kept() {
    // Of 250 transactions, with trie nodes.
    const BLOCK_BYTES: u64 = 925_000;
    let hook = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("geth/hook.go")).unwrap();
    let (_, rest) = hook.split_once("cmp.Or(m.conf.MaxSpool, ").unwrap();
    let spool_mb: u64 = rest.split(')').next().unwrap().parse().unwrap();
    let settings = load::<Settings>(&dhall().join("examples/minimal/tap.dhall")).unwrap().settings;
    assert!(settings.keep_depth * BLOCK_BYTES < spool_mb << 20, "{spool_mb} MB are too few");
}
