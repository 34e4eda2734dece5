//! Tests of the book: what counts, who gets it, how long, and for how many.

use super::{Applied, Book, Bounds, Head, NoRoom, Standing};
use crate::bundle::Checked;
use maidenlane_chain::{Address, B256};
use maidenlane_wire::{Bundle, BundleCancel, BundleKind, BundleVersion, Cancelled, Taken};

const BOUNDS: Bounds = Bounds { orders: 4, bytes: 5_000, account_bytes: 3_000, ahead_max: 10 };

/// A mainnet transaction of 895 bytes.
fn transaction() -> maidenlane_chain::Bytes {
    let vectors: serde_json::Value = serde_json::from_str(include_str!("../../golden/bundles.json")).unwrap();
    vectors["transactions"]["a"].as_str().unwrap().parse().unwrap()
}

/// A bundle of signer 1 for block 20, changed as asked.
fn bundle(change: impl FnOnce(&mut Bundle)) -> Checked {
    let mut bundle = Bundle {
        taken: Taken { relay: [1; 16], identity: None, at_ms: 7 },
        signer: Address::repeat_byte(1),
        kind: BundleKind::Bundle,
        version: BundleVersion::V2,
        txs: vec![transaction()],
        blocks: (20, 20),
        min_timestamp: None,
        max_timestamp: None,
        reverting: Vec::new(),
        dropping: Vec::new(),
        replacement: None,
        nonce: None,
        refund: None,
        refund_identity: None,
        targets: Vec::new(),
        builders: Vec::new(),
        mempool: false,
    };
    change(&mut bundle);
    Checked::again(bundle).unwrap()
}

fn named(block: u64) -> Checked {
    bundle(|bundle| {
        bundle.blocks = (block, block);
        bundle.replacement = Some("n".to_owned());
    })
}

fn cancel(of: Cancelled) -> BundleCancel {
    let taken = Taken { relay: [1; 16], identity: None, at_ms: 8 };
    BundleCancel { taken, signer: Address::repeat_byte(1), of }
}

fn cancel_named() -> BundleCancel {
    cancel(Cancelled::Replacement { name: "n".to_owned(), nonce: None })
}

fn head(number: u64, finalized: u64) -> Head {
    Head { number, timestamp_s: number * 12, finalized: Some(finalized) }
}

fn pulled(book: &mut Book, block: u64) -> usize {
    book.open(block, block * 12, "any").len()
}

#[test]
fn an_order_counts_once_and_for_its_block() {
    let mut book = Book::new(BOUNDS);
    book.advance(head(18, 5));
    assert_eq!(book.bundle(0, bundle(|_| ())), Applied::Counts);
    assert_eq!(book.bundle(1, bundle(|_| ())), Applied::Known);
    assert_eq!([19, 20, 21].map(|block| pulled(&mut book, block)), [0, 1, 0]);
    let content = bundle(|_| ()).content;
    let known = book.get(content).unwrap().clone();
    assert_eq!((known.standing, known.blocks), (Standing::Counts, (20, 20)));
    let hash = *bundle(|_| ()).hash.reveal();
    assert_eq!(book.find(Address::repeat_byte(1), hash), [&known]);
    assert!(book.find(Address::repeat_byte(2), hash).is_empty(), "nobody else's business");
}

#[test]
fn replacements_and_cancels_end_what_counted() {
    let mut book = Book::new(BOUNDS);
    book.advance(head(18, 5));
    let (one, other) = (named(20).content, named(21).content);
    assert_eq!(book.bundle(0, named(20)), Applied::Counts);
    assert_eq!(book.bundle(1, named(21)), Applied::Counts);
    assert_eq!([20, 21].map(|block| pulled(&mut book, block)), [0, 1]);
    assert_eq!(book.get(one).map(|known| known.standing), Some(Standing::Replaced));
    assert_eq!(book.bundle(2, named(20)), Applied::Counts, "in its place again");
    assert_eq!([20, 21].map(|block| pulled(&mut book, block)), [1, 0]);
    assert_eq!(book.cancel(3, &cancel_named()), Applied::Cancels { ended: Some(one) });
    assert_eq!(pulled(&mut book, 20), 0);
    assert_eq!(book.bundle(4, named(22)), Applied::Cancelled);
    assert_eq!(book.bundle(0, named(20)), Applied::Stale, "read again");
    assert_eq!(book.get(other).map(|known| known.standing), Some(Standing::Replaced));
    assert_eq!(book.size().1, 0);
}

#[test]
fn a_cancel_that_comes_first_wins() {
    let mut book = Book::new(BOUNDS);
    assert_eq!(book.cancel(0, &cancel_named()), Applied::Cancels { ended: None });
    assert_eq!(book.bundle(1, named(20)), Applied::Cancelled);
    let private = bundle(|bundle| bundle.kind = BundleKind::Private);
    let hash = private.hashes.reveal()[0];
    assert_eq!(book.bundle(2, private.clone()), Applied::Counts);
    assert_eq!(
        book.cancel(3, &cancel(Cancelled::Transaction(hash))),
        Applied::Cancels { ended: Some(private.content) }
    );
    assert_eq!(book.find(Address::repeat_byte(1), hash).len(), 1, "known by the hash of its transaction");
    assert_eq!(book.bundle(4, private), Applied::Cancelled);
    assert_eq!(pulled(&mut book, 20), 0);
}

#[test]
fn builders_get_what_is_for_them() {
    let mut book = Book::new(BOUNDS);
    book.bundle(0, bundle(|bundle| bundle.builders = vec!["one".to_owned()]));
    assert_eq!(book.open(20, 1, "one").len(), 1);
    assert_eq!(book.open(20, 1, "two").len(), 0);
}

#[test]
fn what_is_past_is_freed_and_what_is_final_forgotten() {
    let mut book = Book::new(BOUNDS);
    book.advance(head(18, 5));
    book.bundle(0, named(20));
    let content = named(20).content;
    book.advance(head(27, 5));
    assert_eq!(
        (book.size().0, book.size().1 > 0, pulled(&mut book, 20)),
        (1, true, 1),
        "a reorganisation may ask"
    );
    book.advance(head(28, 20));
    assert_eq!(book.size(), (1, 0));
    book.advance(head(28, 21));
    assert_eq!((book.size(), book.get(content)), ((0, 0), None));
    assert!(book.by_hash.is_empty() && book.ends.is_empty() && book.accounts.is_empty());
    assert_eq!(book.names.len(), 1, "a name is kept longer than its order");
    book.advance(head(20 + super::FORGOTTEN + 1, 20 + super::FORGOTTEN + 1));
    assert!(book.names.is_empty());
    assert_eq!(book.bundle(1, named(20)), Applied::Stale, "read again after all that");
    assert_eq!((pulled(&mut book, 20), book.size()), (0, (0, 0)));
}

/// The topic keeps more than a book may hold: what is final by now must not take the room of what is not.
#[test]
fn what_is_final_takes_no_room_after_a_start() {
    let mut book = Book::new(BOUNDS);
    book.advance(head(200, 190));
    let of = |block: u64| bundle(|bundle| bundle.blocks = (block, block));
    for block in 20..60 {
        assert_eq!(book.bundle(block, of(block)), Applied::Stale);
    }
    assert_eq!(book.bundle(60, of(191)), Applied::Counts, "past, and known until it is final");
    assert_eq!(book.bundle(61, of(201)), Applied::Counts);
    assert_eq!((book.size().0, pulled(&mut book, 201)), (2, 1));
}

#[test]
fn what_was_replaced_is_not_told_to_count_when_it_comes_again() {
    let mut book = Book::new(BOUNDS);
    let numbered = |block: u64, nonce: u64| {
        bundle(|bundle| {
            (bundle.blocks, bundle.nonce) = ((block, block), Some(nonce));
            bundle.replacement = Some("n".to_owned());
        })
    };
    assert_eq!(book.bundle(0, numbered(20, 1)), Applied::Counts);
    assert_eq!(book.bundle(1, numbered(20, 1)), Applied::Known);
    assert_eq!(book.bundle(2, numbered(21, 2)), Applied::Counts);
    assert_eq!(book.bundle(3, numbered(20, 1)), Applied::Stale);
}

#[test]
fn room_is_bounded_for_all_and_for_each() {
    let mut book = Book::new(BOUNDS);
    let of = |signer: u8, block: u64| {
        bundle(|bundle| {
            bundle.signer = Address::repeat_byte(signer);
            bundle.blocks = (block, block);
        })
    };
    for block in 20..23 {
        assert_eq!(book.room(&of(1, block)), Ok(()));
        book.bundle(block, of(1, block));
    }
    assert_eq!(book.room(&of(1, 23)), Err(NoRoom::Account));
    assert_eq!(book.room(&of(1, 22)), Ok(()), "known");
    assert_eq!(book.room(&of(2, 23)), Ok(()));
    book.bundle(23, of(2, 23));
    assert_eq!(book.room(&of(3, 24)), Err(NoRoom::Orders));
    // What was on its way together with others is still kept, within twice the bounds.
    let applied: Vec<Applied> =
        (24..30).map(|block| book.bundle(block, of(u8::try_from(block).unwrap(), block))).collect();
    assert_eq!(applied.iter().filter(|applied| **applied == Applied::Counts).count(), 4);
    assert_eq!(applied.last(), Some(&Applied::NotKept(NoRoom::Orders)));
    let small = Book::new(Bounds { bytes: 800, ..BOUNDS });
    assert_eq!(small.room(&of(1, 20)), Err(NoRoom::Bytes));
}

/// Reading the topic again makes the same book.
#[test]
fn the_topic_read_again_changes_nothing() {
    let mut book = Book::new(BOUNDS);
    book.advance(head(18, 5));
    let play = |book: &mut Book| {
        book.bundle(0, named(20));
        book.bundle(1, bundle(|_| ()));
        book.bundle(2, named(21));
        book.bundle(3, bundle(|bundle| bundle.kind = BundleKind::Private));
    };
    play(&mut book);
    let state = |book: &mut Book| {
        let standings =
            [named(20), named(21), bundle(|_| ())].map(|checked| book.get(checked.content).unwrap().standing);
        (standings, [20, 21].map(|block| pulled(book, block)), book.size(), B256::ZERO)
    };
    let once = state(&mut book);
    play(&mut book);
    assert_eq!(state(&mut book), once);
}
