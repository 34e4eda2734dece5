//! An emitter that was away for longer than the log keeps transactions.

use std::fs;

use maidenlane_log::TopicOptions;
use maidenlane_tests::{
    scenario::{Carrier, Chain, Net, Plan},
    settings, wait,
};
use serde_json::json;

use super::outcomes::log_of;
use super::{SOON, World};

/// Bytes of a segment: some nine transactions.
const SEGMENT_BYTES: u64 = 2_048;

#[test]
fn an_emitter_goes_on_behind_what_was_deleted_and_says_how_much_that_was() {
    let mut net =
        Net::build(&Plan { chain: Chain::Developer, carrier: Carrier::Segment, replicas: 1 }).unwrap();
    net.take_transactions().unwrap();
    let settings::Log::Segment(dir) = net.carrier() else { panic!("a segment log") };
    let (topic, options) = (
        settings::transactions_topic(),
        TopicOptions { segment_max_bytes: SEGMENT_BYTES, ..TopicOptions::default() },
    );
    let dir = dir.join(&topic);
    fs::remove_dir_all(&dir).unwrap();
    assert!(log_of(&net).create(&topic, &options).unwrap());
    let mut world = World::on(net);
    let url = world.url();
    let mut emitter = world.started("emitter-0", &[("geth", &url)]);
    let delivered = world.send(&json!({"value": "0x1"}));
    world.meets(&delivered, "Mined");
    emitter.stop().unwrap();
    let hashes: Vec<String> =
        (0..40).map(|value| world.send(&json!({"value": format!("{value:#x}")}))).collect();
    // As retention does: whole segments, the oldest first.
    let mut segments: Vec<_> = fs::read_dir(dir.join("0"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    segments.sort();
    assert!(segments.len() > 3, "{segments:?}");
    let base =
        |index: usize| -> u64 { segments[index].file_stem().unwrap().to_str().unwrap().parse().unwrap() };
    segments[..2].iter().for_each(|path| fs::remove_file(path).unwrap());
    emitter.start().unwrap();
    // The first entry was delivered.
    let deleted = base(2) - 1;
    wait::until("the emitter to tell what was deleted", SOON, || {
        let status = emitter.status().map_err(|failure| failure.to_string())?;
        let told = status["transactions"]["deletedUnread"].as_u64();
        if told == Some(deleted) { Ok(()) } else { Err(format!("{told:?}, not {deleted}")) }
    })
    .unwrap();
    world.meets(hashes.last().unwrap(), "Received");
    emitter.stop().unwrap();
    assert!(emitter.log_tail(1_000).contains(&format!("{deleted} transactions were deleted")));
}
