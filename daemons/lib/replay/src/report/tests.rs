//! Readiness while the log is away.

use super::Report;
use crate::heads::{HeadTracker, HeadView, Parsed};
use crate::liveness::Liveness;
use crate::metrics::Gauges;
use crate::{Fresh, Live as _};
use maidenlane_service::{Health, Tracer};
use maidenlane_store::{Keep, Past, Store};
use maidenlane_testkit::feed::Block;
use maidenlane_wire::Genesis;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Heads of a database that holds block 0.
fn heads(dir: &std::path::Path, fresh: Fresh) -> HeadTracker {
    let store = Store::open(dir, 1 << 20).unwrap();
    let (block, keep) = (Block::genesis(), Keep { undo_blocks: 64, history: Past::All, proofs: None });
    let mut batch = store.batch(store.facts(), keep);
    let record = Genesis {
        block: block.at,
        header: block.header.clone(),
        body: vec![0xc3, 0xc0, 0xc0, 0xc0].into(),
        rows: block.rows.clone(),
    };
    store.genesis(&mut batch, &record).unwrap();
    batch.facts().chain_config = "{}".into();
    store.write(batch).unwrap();
    let shown = HeadView::new(store.view().unwrap(), &mut Parsed::default()).unwrap();
    let liveness = Arc::new(Liveness::default());
    liveness.note(0, Some(Duration::ZERO));
    HeadTracker::new(shown, liveness, fresh.into())
}

#[test]
fn a_replica_whose_log_is_away_is_unready_once_it_is_stale() {
    let dir = tempfile::tempdir().unwrap();
    let fresh = Fresh { silence_max: Duration::from_millis(200), lag_blocks_max: 3, head_age_max: None };
    let heads = heads(dir.path(), fresh);
    let health = Health::default();
    let mut report = Report::new("replica", health.clone(), Gauges::default(), Tracer::silent());
    health.set_ready();
    let begun = Instant::now();
    loop {
        let silent_before = begun.elapsed();
        report.log_away(maidenlane_log::Error::NoTopic { topic: "blocks".to_owned() }, Some(&heads)).unwrap();
        match health.ready() {
            Ok(()) => assert!(silent_before < Duration::from_secs(5), "ready though the feed is silent"),
            Err(reason) => {
                assert!(reason.starts_with("the log is away: topic blocks does not exist"), "{reason}");
                break;
            }
        }
        std::thread::yield_now();
    }
    report.log_is_back(Some(&heads));
    let reason = heads.fitness().stale.expect("nothing has come yet");
    assert!(reason.starts_with("no sign of life from the feed for "), "{reason}");
}
