//! The replica's settings and the files under `dhall/` say the same.

use maidenlane_config::lockstep::{TypeFile, round_trip, unexplained};
use maidenlane_config::{feed, load};
use maidenlane_replay::Fresh;
use maidenlane_replica::config::{
    AcceptRaw, AnswerRaw, BackfillRaw, BlockSourceRaw, FiltersRaw, HistoryRaw, MethodTimeoutRaw, OutcomesRaw,
    PoolRaw, ReplicaRaw, RepositoryRaw, RpcRaw, S3Raw, Settings, SnapshotsRaw, TransactionsRaw, VerdictRaw,
};
use maidenlane_replica::submission::Bounds;
use maidenlane_store::{Keep, Past};
use std::path::{Path, PathBuf};
use std::time::Duration;

fn dhall() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dhall")
}

#[test]
fn the_types_are_the_committed_ones() {
    let update = maidenlane_service::env("UPDATE_DHALL").is_some();
    for file in [
        TypeFile::of::<ReplicaRaw>("Replica"),
        TypeFile::of::<RpcRaw>("Rpc"),
        TypeFile::of::<MethodTimeoutRaw>("MethodTimeout"),
        TypeFile::of::<HistoryRaw>("History"),
        TypeFile::of::<BackfillRaw>("Backfill"),
        TypeFile::of::<OutcomesRaw>("Outcomes"),
        TypeFile::of::<PoolRaw>("Pool"),
        TypeFile::of::<BlockSourceRaw>("BlockSource"),
        TypeFile::of::<TransactionsRaw>("Transactions"),
        TypeFile::of::<AcceptRaw>("Accept"),
        TypeFile::of::<AnswerRaw>("Answer"),
        TypeFile::of::<VerdictRaw>("Verdict"),
        TypeFile::of::<FiltersRaw>("Filters"),
        TypeFile::of::<SnapshotsRaw>("Snapshots"),
        TypeFile::of::<RepositoryRaw>("Repository"),
        TypeFile::of::<S3Raw>("S3"),
    ] {
        file.check(&dhall().join("types"), update).unwrap();
    }
}

#[test]
fn the_minimal_example_gets_the_defaults() {
    let settings = load::<Settings>(&dhall().join("examples/minimal/replica.dhall")).unwrap().settings;
    assert_eq!(settings.topic, "maidenlane.mainnet.a.blocks");
    assert_eq!(settings.log, feed::Log::Segment { dir: "/var/lib/maidenlane/log".into() });
    assert_eq!(settings.keep, Keep { undo_blocks: 90_000, history: Past::All, proofs: None });
    let fresh = Fresh {
        lag_blocks_max: 2,
        silence_max: Duration::from_secs(15),
        head_age_max: Some(Duration::from_secs(120)),
    };
    assert_eq!(settings.fresh, fresh);
    // The Dhall defaults are the code's own.
    let rpc = maidenlane_replica::rpc::Settings::default();
    assert_eq!(format!("{:?}", settings.rpc), format!("{:?}", in_megabytes(rpc)));
}

/// Settings with cache sizes in whole MB, as in Dhall; the code's defaults are powers of two.
fn in_megabytes(rpc: maidenlane_replica::rpc::Settings) -> maidenlane_replica::rpc::Settings {
    let megabytes = |bytes: u64| (bytes >> 20) * 1_000_000;
    maidenlane_replica::rpc::Settings {
        code_cache_bytes: megabytes(rpc.code_cache_bytes),
        block_cache_bytes: megabytes(rpc.block_cache_bytes),
        ..rpc
    }
}

#[test]
fn the_full_example_explains_every_field() {
    let defaults = format!(
        "let M = {}/package.dhall in M.Replica.default // \
         {{ rpc = M.Rpc.default // {{ listeners = M.Listener.default // {{ access = M.Identity.default }} }}, chain = M.Chain.default, feed = M.Feed.default // {{ log = M.Kafka.default // \
         {{ tls = M.KafkaTls.default, sasl = M.Sasl.default }} }}, snapshots = M.Snapshots.default // {{ sources = M.S3.default, target = M.S3.default }}, transactions = M.Accept.default // {{ answer = M.Verdict.default }}, backfill = M.Backfill.default, outcomes = M.Outcomes.default, pool = M.Pool.default }}",
        dhall().canonicalize().unwrap().display()
    );
    assert_eq!(unexplained::<Settings>(&defaults), Vec::<String>::new());
    let full = load::<Settings>(&dhall().join("examples/full/replica.dhall")).unwrap().settings;
    let (history, proofs) = (Past::Blocks(100_000), Some(Past::Blocks(10_000)));
    assert_eq!(full.keep, Keep { undo_blocks: 90_000, history, proofs });
    let backfill = full.backfill.unwrap();
    assert_eq!((backfill.from, backfill.bytes_per_s), (15_537_394, 10_000_000));
    assert_eq!(backfill.sources.len(), 2);
    assert_eq!(full.rpc.pool_threads, 8);
    let taken = full.transactions.unwrap();
    assert_eq!(
        (taken.topic.as_str(), taken.group.as_str()),
        ("maidenlane.mainnet.transactions", "maidenlane-emitter")
    );
    assert_eq!(taken.retention, Duration::from_secs(72 * 3_600));
    assert_eq!(taken.bounds, Bounds { waiting_max: 64, waiting_max_bytes: 16_000_000 });
    let access: Vec<_> = full.listeners.iter().flat_map(|listener| &listener.access).collect();
    assert!(access.iter().all(|identity| !identity.sees_all && identity.tag.is_none()), "{access:?}");
}

#[test]
fn transactions_are_taken_only_where_their_outcomes_are_known() {
    let (dir, dhall) = (tempfile::tempdir().unwrap(), dhall().canonicalize().unwrap());
    let file = dir.path().join("replica.dhall");
    let dhall = dhall.display();
    let text = format!(
        "let M = {dhall}/package.dhall in {dhall}/examples/minimal/replica.dhall // \
         {{ transactions = M.Transactions.Accept M.Accept::{{ retention_h = 168 }} }}\n"
    );
    std::fs::write(&file, text).unwrap();
    let refused = load::<Settings>(&file).unwrap_err().to_string();
    assert!(refused.contains("outcomes: transactions count until their outcomes are known"), "{refused}");
}

#[test]
fn every_value_of_the_dhall_type_is_one_of_the_rust_type() {
    let dir = tempfile::tempdir().unwrap();
    round_trip::<Settings>(dir.path(), 10).unwrap();
}

#[test]
fn a_back_fill_without_a_usable_source_is_refused_by_its_field() {
    let (dir, dhall) = (tempfile::tempdir().unwrap(), dhall().canonicalize().unwrap());
    let check = |fields: &str, expect: &str| {
        let (file, dhall) = (dir.path().join("replica.dhall"), dhall.display());
        let text = format!(
            "let M = {dhall}/package.dhall in {dhall}/examples/minimal/replica.dhall // \
             {{ backfill = Some M.Backfill::{{ {fields} }} }}\n"
        );
        std::fs::write(&file, text).unwrap();
        let refused = load::<Settings>(&file).unwrap_err().to_string();
        assert!(refused.contains(expect), "{refused}");
    };
    check("sources = [] : List M.BlockSource", "backfill.sources: expected one or more");
    check(
        r#"sources = [ M.BlockSource.Era "era" ]"#,
        "backfill.sources: expected an absolute path, found `era`",
    );
    check(r#"sources = [ M.BlockSource.Node "geth:8545" ]"#, "backfill.sources: read address");
    check(r#"rate_kBps = 0, sources = [ M.BlockSource.Era "/era" ]"#, "backfill.rate_kBps: expected 1 to");
}
