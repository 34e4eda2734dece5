//! Random input to every decoder of what strangers send: bent requests are read or refused, never a panic, and no refusal repeats
//! what an order says.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use maidenlane_chain::Address;
use maidenlane_jsonrpc::Error;
use maidenlane_relay::blobs;
use maidenlane_relay::bundle::{self, Asked, Checked, Circumstances};
use maidenlane_relay::feeds::Cursor;
use maidenlane_relay::fields::Fields;
use maidenlane_relay::keyring::Keyring;
use maidenlane_relay::private;
use maidenlane_relay::refusal::Refusal;
use maidenlane_relay::signature::verify;
use maidenlane_relay::wishes::Wishes;
use maidenlane_wire::{BundleKind, Taken};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Length of a refusal.
const TEXT_MAX: usize = 400;
/// Digits of an order that would give it away.
const GIVEN_AWAY: usize = 24;
/// Pieces of JSON that decoders look for.
const PIECES: [&str; 16] = [
    "{",
    "}",
    "[",
    "]",
    "\"",
    ":",
    ",",
    "null",
    "true",
    "0x",
    "\"0x\"",
    "-1",
    "1e99",
    "\\u0000",
    "\u{1f600}",
    "\"txs\":",
];

fn vectors() -> Value {
    serde_json::from_str(include_str!("../golden/bundles.json")).unwrap()
}

fn transaction(name: &str) -> String {
    vectors()["transactions"][name].as_str().unwrap().to_owned()
}

fn circumstances() -> Circumstances {
    Circumstances {
        taken: Taken { relay: [1; 16], identity: None, at_ms: 7 },
        signer: Address::repeat_byte(1),
        chain_id: 1,
        next: 20,
        head_s: 100,
        ahead_max: 50,
        bytes_max: 100_000,
        mempool: true,
    }
}

/// Requests that are read, of all kinds.
fn requests() -> Vec<String> {
    let hash = format!("0x{}", "5e".repeat(32));
    let all = [
        json!({
            "txs": [transaction("a"), transaction("c")], "blockNumber": "0x14", "minTimestamp": 1, "maxTimestamp": "0xffff",
            "replacementUuid": "d9a3ae52-79a2-4ce9-a687-e2aa4183d5c6", "replacementNonce": 7, "version": "v2",
            "refundPercent": 10, "refundRecipient": Address::ZERO, "builders": ["one"], "delayedRefund": true,
        }),
        json!({
            "txs": [transaction("a")], "desiredState": "BottomOfBlock", "targetAddresses": [Address::ZERO],
            "targetSlots": [[hash]], "revertingTxHashes": [], "droppingTxHashes": [hash],
        }),
        json!({"uuid": "name"}),
        json!({"tx": transaction("a"), "maxBlockNumber": "0x15", "preferences": {"canRevert": true, "privacy": {"builders": ["one"]}}}),
        json!({"txHash": hash}),
        json!({"txs": [transaction("a")], "maxBlockNumber": "0x15", "replacementUuid": "name", "builders": ["one"]}),
    ];
    all.iter().map(Value::to_string).collect()
}

/// Change of a text: what is at a place goes, comes twice, or something comes before it.
fn bent(mut text: String, changes: &[(usize, u8, usize)]) -> String {
    for (place, what, piece) in changes {
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let at = |number: usize| places[number % places.len()];
        let (from, to) = (at(*place).min(at(place + piece)), at(*place).max(at(place + piece)));
        match what % 4 {
            0 => text.replace_range(from..to, ""),
            1 => {
                let twice = text[from..to].to_owned();
                text.insert_str(from, &twice);
            }
            2 => text.insert_str(from, PIECES[piece % PIECES.len()]),
            _ => text.replace_range(from..to, PIECES[piece % PIECES.len()]),
        }
    }
    text
}

/// Refusals are short, name the cure, and say nothing of the order.
fn told(refusal: Refusal, request: &str) -> Result<(), TestCaseError> {
    let error = Error::from(refusal);
    let text = error.message.to_lowercase();
    prop_assert!(text.len() < TEXT_MAX && error.data.is_some(), "{text}");
    let digits =
        request.split(|letter: char| !letter.is_ascii_hexdigit()).filter(|run| run.len() >= GIVEN_AWAY);
    for run in digits {
        let run = run.to_lowercase();
        let piece = (0..=run.len() - GIVEN_AWAY)
            .map(|at| &run[at..at + GIVEN_AWAY])
            .find(|piece| text.contains(piece));
        // Zeros are nobody's.
        prop_assert!(piece.is_none_or(|piece| piece.bytes().all(|digit| digit == b'0')), "{text}");
    }
    Ok(())
}

/// A bundle that is taken is the same when it is read back, and may go into a block.
fn taken(checked: &Checked, with: &Circumstances) -> Result<(), TestCaseError> {
    let again = Checked::again(checked.bundle.clone());
    prop_assert_eq!(again.as_ref(), Ok(checked));
    let (first, last) = checked.bundle.blocks;
    prop_assert!(first <= last && last >= with.next && !checked.bundle.txs.is_empty());
    prop_assert!(checked.bundle.kind == BundleKind::Private || first == last);
    Ok(())
}

fn check(request: &str) -> Result<(), TestCaseError> {
    let with = circumstances();
    for read in [bundle::read, bundle::read_end_of_block, blobs::read] {
        match read(request, &with) {
            Ok(Asked::Bundle(checked)) => taken(&checked, &with)?,
            Ok(Asked::Cancel(_)) => {}
            Err(refusal) => told(refusal, request)?,
        }
    }
    for read in [private::read(request, &with), private::read_raw(request, Some(request), &with)] {
        match read {
            Ok(checked) => taken(&checked, &with)?,
            Err(refusal) => told(refusal, request)?,
        }
    }
    if let Err(refusal) = private::read_cancel(request) {
        told(refusal, request)?;
    }
    if let Err(refusal) = Fields::read(request) {
        told(refusal, request)?;
    }
    match Wishes::read(request) {
        Ok(wishes) => {
            if let Err(refusal) = private::read_from_wallet(request, &wishes, &with) {
                told(refusal, request)?;
            }
        }
        Err(refusal) => told(refusal, request)?,
    }
    let _unread =
        (request.parse::<Cursor>(), Keyring::parse(request), verify(Some(request), request.as_bytes()));
    Ok(())
}

#[test]
fn what_is_bent_was_read_before() {
    let (with, all) = (circumstances(), requests());
    assert!(
        matches!(bundle::read(&all[0], &with), Ok(Asked::Bundle(_))),
        "{:?}",
        bundle::read(&all[0], &with)
    );
    assert_eq!(
        bundle::read(&all[1], &with),
        Err(Refusal::NotInBundle { field: "droppingTxHashes", index: 0 })
    );
    assert!(matches!(bundle::read(&all[2], &with), Ok(Asked::Cancel(_))));
    assert_eq!(blobs::read(&all[5], &with), Err(Refusal::WithoutBlobs { index: 0 }));
    assert!(private::read(&all[3], &with).is_ok() && private::read_cancel(&all[4]).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn bent_requests_are_read_or_refused(
        number in 0..6_usize, changes in prop::collection::vec((0..4_000_usize, 0..4_u8, 0..200_usize), 0..6),
    ) {
        check(&bent(requests()[number].clone(), &changes))?;
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,200}") {
        check(&text)?;
    }
}
