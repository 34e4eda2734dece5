//! Holes on a single master: canonical blocks that left no frames in the spool.

use std::{collections::BTreeSet, fs, path::PathBuf};

use maidenlane_tests::{process::Process, scenario::Carrier, wait};
use serde_json::{Value, json};

use crate::consensus::{Consensus, PATIENCE};

/// Makes the hook panic at a block number.
const PANIC: &str = "MAIDENLANE_HOOK_PANIC";
const DATA: i32 = 65;

/// Waits until the tap gives up over block `missing`, and returns the command that it names.
fn refused(consensus: &mut Consensus, missing: &str) -> Vec<String> {
    let (number, ..) = consensus.sight(missing);
    let tap = consensus.net.tap();
    let (status, said) = (tap.wait(PATIENCE).unwrap(), tap.log_tail(4));
    assert_eq!(status.code(), Some(DATA), "{said}");
    assert!(
        said.contains(&format!("block {number} ({missing}) is canonical but not in the spool")),
        "{said}"
    );
    let command = said.rsplit('`').nth(1).unwrap();
    assert!(command.starts_with("maidenlane tap repair "), "{said}");
    let config = tap.config().display().to_string();
    command.replace("FILE", &config).split_whitespace().skip(1).map(str::to_owned).collect()
}

/// Runs the command that the tap named, while the consensus client goes on feeding its chain; the oldest missing
/// block is `missing`. Then the tap starts again and publishes everything.
fn repaired(consensus: &mut Consensus, command: &[String], missing: &str) {
    let (number, ..) = consensus.sight(missing);
    let mut repair = consensus.net.spawn(command).unwrap();
    let line = |state: &str| json!({"repaired": state, "number": number, "hash": missing});
    let said = |repair: &Process| serde_json::from_str::<Value>(&repair.tail(1)).unwrap_or_default();
    wait::until("geth to be set back", PATIENCE, || {
        repair.alive().map_err(|failure| failure.to_string())?;
        if said(&repair) == line("waiting") { Ok(()) } else { Err(repair.tail(3)) }
    })
    .unwrap();
    consensus.feed_master(number - 1);
    let status = repair.wait(PATIENCE).unwrap();
    assert!(status.success(), "{}", repair.tail(3));
    assert_eq!(said(&repair), line("executed"));
    consensus.net.tap().start().unwrap();
    consensus.followed();
}

/// geth stops cleanly and starts again, with the hook panicking at block `number` or not at all.
fn restart(consensus: &mut Consensus, number: Option<u64>) {
    let node = consensus.net.node();
    node.stop().unwrap();
    node.environment(PANIC, &number.map(|number| number.to_string()).unwrap_or_default());
    consensus.restart_master();
    // It builds on no older block before it was told that it is in sync.
    consensus.choose(&consensus.head());
}

fn segments(consensus: &mut Consensus) -> BTreeSet<PathBuf> {
    let files = fs::read_dir(consensus.net.node().spool()).unwrap();
    files.map(|file| file.unwrap().path()).collect()
}

#[test]
fn blocks_of_a_lost_spool_segment_are_executed_again() {
    let Some(mut consensus) = Consensus::new(Carrier::Segment) else { return };
    consensus.followed();
    consensus.net.tap().kill();
    restart(&mut consensus, None);
    let before = segments(&mut consensus);
    let base = consensus.head();
    let oldest = consensus.branch(&base, 1, 1);
    let newest = consensus.branch(&oldest, 1, 1);
    restart(&mut consensus, None);
    for lost in segments(&mut consensus).difference(&before) {
        fs::remove_file(lost).unwrap();
    }
    consensus.branch(&newest, 2, 1);
    consensus.net.tap().start().unwrap();
    let command = refused(&mut consensus, &newest);
    repaired(&mut consensus, &command, &oldest);
    consensus.end();
}

#[test]
fn a_hole_in_another_branch_below_the_published_head_is_executed_again() {
    let Some(mut consensus) = Consensus::new(Carrier::Segment) else { return };
    let base = consensus.head();
    consensus.branch(&base, 3, 1);
    consensus.followed();
    consensus.net.tap().kill();
    let (number, ..) = consensus.sight(&base);
    restart(&mut consensus, Some(number + 2));
    let first = consensus.branch(&base, 1, 2);
    let missing = consensus.branch(&first, 1, 2);
    consensus.branch(&missing, 2, 2);
    consensus.net.tap().start().unwrap();
    let command = refused(&mut consensus, &missing);
    // A clean restart of geth, with a hook that works, heals nothing by itself.
    restart(&mut consensus, None);
    repaired(&mut consensus, &command, &missing);
    consensus.end();
}

#[test]
fn a_block_without_frames_takes_the_rows_of_one_with_equal_roots() {
    let Some(mut consensus) = Consensus::new(Carrier::Segment) else { return };
    let base = consensus.head();
    let left = consensus.idle(&base);
    let (number, ..) = consensus.sight(&left);
    restart(&mut consensus, Some(number));
    let right = consensus.idle(&base);
    for head in [&left, &right] {
        consensus.choose(head);
        consensus.followed();
    }
    let said = consensus.net.tap().log_tail(20);
    assert!(said.contains(&format!("block {number} ({right}) left no frames; took the rows")), "{said}");
    restart(&mut consensus, None);
    consensus.branch(&right, 1, 1);
    consensus.end();
}
