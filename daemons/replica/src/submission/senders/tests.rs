use super::*;

const FUNDS: u64 = 1_000;
const BOUNDS: Bounds = Bounds { waiting_max: 8, waiting_max_bytes: 1 << 20 };
const ME: Address = Address::repeat_byte(7);

/// Senders, and the time.
struct Door {
    senders: Senders,
    now_ms: u64,
}

fn hash(nonce: u64, salt: u8) -> B256 {
    B256::from(U256::from(nonce) + (U256::from(salt) << 128))
}

impl Door {
    fn new() -> Self {
        Self { senders: Senders::new(BOUNDS), now_ms: 1_700_000_000_000 }
    }

    fn of(&self, (nonce, cost, bytes, salt): (u64, u64, u64, u8)) -> Offer {
        let (cost, taken_ms) = (U256::from(cost), self.now_ms);
        Offer { hash: hash(nonce, salt), sender: ME, nonce, cost, bytes, identity: None, taken_ms }
    }

    fn admit(&mut self, next: u64, offer: &Offer) -> String {
        let means = Means { nonce: next, balance: U256::from(FUNDS) };
        let admitted = self.senders.admit(offer, &means, self.now_ms);
        admitted.err().map(|refused| refused.to_string()).unwrap_or_default()
    }

    /// Offers a transaction of a sender whose account has this nonce; the refusal, if it is one.
    fn offer(&mut self, next: u64, what: (u64, u64, u64, u8)) -> String {
        let offer = self.of(what);
        self.admit(next, &offer)
    }

    fn came(&mut self, what: (u64, u64, u64, u8), waits: bool) {
        let offer = self.of(what);
        self.senders.came(&offer, waits, self.now_ms);
    }
}

#[test]
fn all_that_is_on_its_way_counts_against_the_balance() {
    let mut door = Door::new();
    assert_eq!(door.offer(5, (5, 600, 100, 0)), "");
    let funds = "insufficient funds for gas * price + value: balance 1000, queued cost 600, ";
    assert_eq!(door.offer(5, (6, 401, 100, 0)), format!("{funds}tx cost 401, overshot 1"));
    assert_eq!(door.offer(5, (5, 1_001, 100, 1)), format!("{funds}tx bumped 401, overshot 1"));
    assert_eq!(door.offer(5, (6, 400, 100, 0)), "");
    assert_eq!(door.offer(5, (5, 600, 100, 0)), "", "the same again");
    assert_eq!(door.offer(5, (5, 300, 100, 2)), "", "a cheaper one, of which a block holds one or the other");
    assert_eq!(door.offer(6, (7, 600, 100, 0)), "", "a block holds the first");
    assert_ne!(door.offer(6, (8, 1, 100, 0)), "");
    door.senders.end(&hash(7, 0));
    assert_eq!(door.offer(6, (8, 600, 100, 0)), "", "a rejected one counts no longer");
}

#[test]
fn what_others_took_counts_alike_until_it_ends() {
    let mut door = Door::new();
    door.came((5, 600, 100, 0), true);
    door.came((6, 400, 100, 0), false);
    assert_eq!(
        door.offer(5, (7, 1, 100, 0)),
        "insufficient funds for gas * price + value: balance 1000, queued cost 1000, tx cost 1, overshot 1"
    );
    assert!(door.senders.read_again(&hash(5, 0), door.now_ms, 100, door.now_ms), "one entry of several");
    door.senders.end(&hash(5, 0));
    assert_eq!(door.offer(5, (7, 600, 100, 0)), "");
    door.senders.withdraw(&hash(6, 0));
    assert_ne!(door.offer(5, (8, 1, 100, 0)), "", "only what was not appended is withdrawn");
    door.senders.withdraw(&hash(7, 0));
    assert_eq!(door.offer(5, (8, 600, 100, 0)), "");
    door.senders.expire(door.now_ms + 1);
    assert_eq!(door.offer(5, (5, 1_000, 100, 0)), "", "nobody tells of it any more");
    assert_eq!((door.senders.places.len(), door.senders.ages.len(), door.senders.waiting.len()), (1, 1, 1));
}

#[test]
fn nonces_and_numbers_are_bounded_while_no_node_has_them() {
    let mut door = Door::new();
    let gap = door.offer(5, (5 + AHEAD_MAX + 1, 1, 100, 0));
    assert_eq!(gap, "nonce too high: tx nonce 1030, gapped nonce 1029");
    for nonce in 5..13 {
        assert_eq!(door.offer(5, (nonce, 1, 100, 0)), "");
    }
    let full = "account limit exceeded: pooled 8 txs";
    assert_eq!((door.offer(5, (500, 1, 100, 0)), door.offer(5, (6, 1, 100, 1))), (full.into(), full.into()));
    door.senders.accepted(&hash(9, 0));
    assert_eq!((door.offer(5, (500, 1, 100, 0)), door.offer(5, (501, 1, 100, 0))), ("".into(), full.into()));
    door.senders.end(&hash(5, 0));
    assert_eq!(door.offer(5, (501, 1, 100, 0)), "");
}

#[test]
fn bytes_that_wait_are_an_identity_s_whoever_signed() {
    let mut door = Door::new();
    let large = |door: &Door, sender: u8, who: Option<&str>| {
        let offer = door.of((5, 1, 300 << 10, sender));
        Offer { sender: Address::repeat_byte(sender), identity: who.map(Into::into), ..offer }
    };
    for sender in 1..=3 {
        let offer = large(&door, sender, Some("wallet"));
        assert_eq!(door.admit(5, &offer), "");
    }
    let (fourth, other, nobody) =
        (large(&door, 4, Some("wallet")), large(&door, 5, Some("desk")), large(&door, 6, None));
    assert!(door.admit(5, &fourth).contains("921600 bytes of yours wait"), "{}", door.admit(5, &fourth));
    assert_eq!((door.admit(5, &other), door.admit(5, &nobody)), (String::new(), String::new()));
    assert_eq!(door.senders.identity(&other.hash).as_deref(), Some("desk"));
    assert_eq!(door.senders.identity(&nobody.hash), None);
    door.senders.accepted(&hash(5, 1));
    assert_eq!(door.admit(5, &fourth), "");
}

#[test]
fn the_same_again_costs_bytes_after_a_moment() {
    let mut door = Door::new();
    let large = (5, 1, 1 << 20, 0);
    for _ in 0..40 {
        assert_eq!(door.offer(5, large), "");
    }
    let taken = (0..100).take_while(|_| {
        door.now_ms += 10_000;
        door.offer(5, large).is_empty()
    });
    assert_eq!(taken.count(), 40, "a MiB each, of which 640 KiB come back");
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut door = Door::new();
    let means = Means { nonce: 0, balance: U256::MAX };
    for number in 0..=ALL_MAX as u64 {
        let hash = B256::from(U256::from(number));
        let offer = Offer { hash, sender: Address::from_word(hash), ..door.of((0, 0, 1, 0)) };
        let offer = Offer { taken_ms: door.now_ms + number, ..offer };
        door.senders.admit(&offer, &means, door.now_ms).expect("funds");
    }
    let senders = &door.senders;
    assert_eq!(
        (senders.places.len(), senders.ages.len(), senders.waiting.len()),
        (ALL_MAX, ALL_MAX, ALL_MAX)
    );
    assert!(senders.flight(&B256::ZERO).is_none(), "the oldest is forgotten");
}
