//! Histories folded from outcomes that came twice, late, or from two emitters.

use super::Histories;
use crate::life::{End, Stage};
use crate::sound::Sound;
use crate::verdict::Class;
use maidenlane_chain::{Address, B256, BlockRef, Bytes};
use maidenlane_wire::{Fate, Outcome};

const HASH: B256 = B256::repeat_byte(7);
const SENDER: Address = Address::repeat_byte(1);
const BLOCK: BlockRef = BlockRef { number: 5, hash: B256::repeat_byte(5) };

fn sent(upstream: &str, class: &str) -> Fate {
    Fate::Sent { upstream: upstream.to_owned(), class: class.to_owned(), reason: None }
}

/// Histories of these outcomes, told a second apart.
fn histories(fates: &[(u64, Fate)]) -> Histories {
    let told = fates.iter().zip(1..).map(|((round, fate), second)| Outcome {
        hash: HASH,
        sender: SENDER,
        round: *round,
        fate: fate.clone(),
        raw: None,
        at_ms: second * 1_000,
    });
    let mut histories = Histories::new(vec!["a".to_owned()], 3);
    told.for_each(|outcome| histories.take(&outcome));
    histories
}

/// Folds these outcomes; the stage, round and end that they leave.
fn check(fates: &[(u64, Fate)], expect: (Option<Stage>, u64, Option<End>)) {
    let (histories, sender) = (histories(fates), SENDER);
    let tx = Sound { hash: HASH, sender, nonce: 1, raw: Bytes::new(), tag: None };
    let rebuilt = histories.rebuilt(vec![tx], 1_000_000, 61_000);
    let flight = rebuilt.flights.first();
    let ended = rebuilt.ended.first().map(|(_, ended)| ended);
    let round = flight.map(|flight| flight.round).or(ended.map(|ended| ended.round));
    let found = (flight.map(|flight| flight.stage), round.unwrap_or_default(), ended.map(|ended| ended.end));
    assert_eq!(found, expect, "{fates:?}");
    assert!(ended.is_none_or(|ended| ended.partition == 3));
}

#[test]
fn fates_lead_where_they_led_when_they_were_told() {
    use Fate::{Accepted, Expired, Final, Mined, Received, ReorgedOut};
    let mined = || Mined { block: BLOCK };
    let out = || ReorgedOut { block: BLOCK };
    let decided = Some(Stage::Decided { block: BLOCK, by: None });
    let rejected = || Fate::Rejected { class: "funds".to_owned(), reason: String::new() };
    check(&[(0, Received)], (Some(Stage::Offered), 0, None));
    check(&[(0, Received), (0, sent("a", "poolFull"))], (Some(Stage::Offered), 0, None));
    check(&[(0, Received), (0, Accepted)], (Some(Stage::Pending), 0, None));
    check(&[(0, Received), (0, Accepted), (0, mined())], (decided, 0, None));
    check(&[(0, mined()), (0, out())], (Some(Stage::Pending), 1, None));
    check(&[(0, mined()), (0, out()), (1, mined())], (decided, 1, None));
    check(&[(0, mined()), (0, Final { block: BLOCK })], (None, 0, Some(End::Final)));
    check(&[(0, Received), (0, rejected())], (None, 0, Some(End::Rejected)));
    check(&[(0, Received), (0, Expired)], (None, 0, Some(End::Expired)));
    check(&[(0, rejected()), (1, Received)], (Some(Stage::Offered), 1, None));
    let dropped = Fate::Dropped { reason: "old-txs".to_owned(), by: None };
    check(&[(0, Accepted), (0, dropped)], (Some(Stage::Pending), 0, None));
    // Told again by one that had lost the partition, or after a crash.
    check(&[(0, mined()), (0, out()), (0, mined()), (0, out())], (Some(Stage::Pending), 1, None));
    check(&[(0, rejected()), (0, Received), (0, Accepted)], (None, 0, Some(End::Rejected)));
    check(&[(0, Accepted), (0, mined()), (0, Accepted)], (decided, 0, None));
}

#[test]
fn what_was_told_is_not_told_again_and_a_life_goes_on_where_it_was() {
    let mut histories = Histories::new(vec!["a".to_owned()], 0);
    for (at_ms, fate) in
        [(1_000, Fate::Received), (2_000, sent("a", "known")), (3_000, sent("gone", "known"))]
    {
        let sender = Address::ZERO;
        histories.take(&Outcome { hash: HASH, sender, round: 0, fate, raw: None, at_ms });
    }
    assert!(histories.wants(&HASH) && !histories.wants(&B256::ZERO));
    let tx = Sound { hash: HASH, sender: Address::ZERO, nonce: 1, raw: Bytes::new(), tag: None };
    let rebuilt = histories.rebuilt(vec![tx], 500_000, 61_000);
    let flight = &rebuilt.flights[0];
    assert_eq!(flight.since_ms, 440_000, "a minute ago");
    assert!(flight.told.received && !flight.told.accepted);
    assert_eq!(flight.told.sent.iter().collect::<Vec<_>>(), [&(0, Class::Known)], "of nodes that there are");
}

#[test]
fn a_history_that_lacks_its_beginning_is_noticed() {
    use Fate::{Accepted, Mined, Received, ReorgedOut};
    let (mined, out) = (Mined { block: BLOCK }, ReorgedOut { block: BLOCK });
    let lacks = |fates: &[(u64, Fate)]| histories(fates).lack_beginnings();
    assert!(lacks(&[(0, sent("a", "nonceLow"))]), "a block may have used its nonce long ago");
    assert!(lacks(&[(0, Accepted), (0, mined.clone())]));
    assert!(!lacks(&[(0, Received), (0, Accepted), (0, mined.clone())]));
    assert!(!lacks(&[(0, mined.clone()), (0, out), (1, Accepted)]), "it begins anew");
    assert!(!lacks(&[(0, Accepted), (0, mined), (0, Fate::Final { block: BLOCK })]), "it has ended");
}
