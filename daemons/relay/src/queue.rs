//! Queue of what one builder is to get: ordered by deadline, then by what it pays. Pure.
//!
//! # Rules
//! - The deadline is a block, never a clock: what is not taken is tried again until its last block has come.
//! - An order for several blocks is for the next one, and for the one after that as soon as the next has come, since builders forget
//!   what a block did not hold. An order for one block goes out some blocks before it.
//! - An order that another relay took waits a moment: that one delivers it, unless it died. Delivered twice it does no harm, as
//!   builders know it by its key.
//! - Nothing is dropped for want of room: a queue holds no more than the book does.
//!
//! # Correctness
//! What is on its way to the builder is *busy*, and in no set. Its report puts it back, or ends it; a report on what was
//! withdrawn meanwhile changes nothing.

use alloy::primitives::I256;
use maidenlane_wire::ContentId;
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// Shortest and longest wait after a failure.
const AGAIN_MS: u64 = 50;
const AGAIN_MAX_MS: u64 = 1_000;

/// Kind of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The order.
    Order,
    /// A cancel of it, for a builder that has it.
    Cancel,
}

type Key = (ContentId, Kind);

/// Order to be delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Id of its content.
    pub content: ContentId,
    /// Name of the order for builders.
    pub name: Uuid,
    /// First and last block.
    pub blocks: (u64, u64),
    /// Amount that it pays, by its simulation, or else in tips at most.
    pub bid: I256,
    /// Time before which it is another relay's to deliver.
    pub ready_ms: u64,
}

/// Message that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    /// Id of the order's content.
    pub content: ContentId,
    /// Kind.
    pub kind: Kind,
    /// Name of the order for builders.
    pub name: Uuid,
    /// Block that it is for.
    pub block: u64,
    /// True if the builder cannot have had it before.
    pub is_first: bool,
}

/// Next step of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Send this.
    Send(Job),
    /// Nothing is due before this time; `None` until something comes.
    Wait(Option<u64>),
}

/// End of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// The builder has it.
    Taken,
    /// Nothing was sent, and the builder is as good as having it: of one that is only tried out.
    Dry,
    /// The builder does not want it.
    Refused,
    /// Nobody knows, or the builder has no room.
    Failed,
    /// Nothing was sent: the order does not count any more.
    Withdrawn,
}

#[derive(Debug)]
struct Item {
    name: Uuid,
    blocks: (u64, u64),
    /// Block that it is for next.
    target: u64,
    bid: I256,
    number: u64,
    failures: u32,
    ready_ms: u64,
    is_busy: bool,
    /// The builder said that it has it.
    has_it: bool,
    /// Nothing more is to be sent.
    is_over: bool,
}

impl Item {
    const fn is_of_one(&self) -> bool {
        self.blocks.0 == self.blocks.1
    }

    /// Number of the next block from which on it goes out.
    const fn from(&self, ahead: u64) -> u64 {
        if self.is_of_one() { self.target.saturating_sub(ahead.saturating_sub(1)) } else { self.target }
    }
}

/// Queue of one builder.
#[derive(Debug, Default)]
pub struct Queue {
    /// Number of the next block.
    next: u64,
    /// Blocks before its own at which an order goes out; at least 1, which is the next one.
    ahead: u64,
    items: HashMap<Key, Item>,
    numbers: u64,
    due: BTreeSet<(u64, Reverse<I256>, u64, Key)>,
    waiting: BTreeSet<(u64, u64, Key)>,
    /// By the next block from which on they are due.
    early: BTreeSet<(u64, u64, Key)>,
    /// By last block.
    ends: BTreeSet<(u64, Key)>,
    /// Names of what the builder has or may have, with the last block of it.
    sent: HashMap<Uuid, u64>,
}

impl Queue {
    /// Empty queue of a builder that takes orders so many blocks before their own.
    #[must_use]
    pub fn new(ahead: u64) -> Self {
        Self { ahead: ahead.max(1), ..Self::default() }
    }

    /// Takes an order; what is known changes nothing. One that was taken back and comes again is not taken back any more.
    pub fn offer(&mut self, offer: &Offer, now_ms: u64) {
        self.remove((offer.content, Kind::Cancel));
        self.insert((offer.content, Kind::Order), offer, now_ms);
    }

    fn insert(&mut self, key: Key, offer: &Offer, now_ms: u64) {
        let (first, last) = offer.blocks;
        if last < self.next || self.items.contains_key(&key) {
            return;
        }
        self.numbers = self.numbers.saturating_add(1);
        let item = Item {
            name: offer.name,
            blocks: offer.blocks,
            target: first.max(self.next),
            bid: offer.bid,
            number: self.numbers,
            failures: 0,
            ready_ms: offer.ready_ms,
            is_busy: false,
            has_it: false,
            is_over: false,
        };
        self.ends.insert((last, key));
        self.items.insert(key, item);
        self.place(key, now_ms);
    }

    /// Takes a cancel of an order.
    pub fn cancel(&mut self, content: ContentId, now_ms: u64) {
        let key = (content, Kind::Order);
        let Some(&Item { name, blocks, bid, .. }) = self.items.get(&key) else { return };
        self.remove(key);
        self.take_back(&Offer { content, name, blocks, bid, ready_ms: now_ms }, now_ms);
    }

    /// Takes back what the builder has under the name of an order: that order itself, or one which it replaces and which was for
    /// this builder when it was not. A builder that has nothing under that name hears nothing.
    pub fn take_back(&mut self, order: &Offer, now_ms: u64) {
        let key = (order.content, Kind::Cancel);
        if !self.sent.contains_key(&order.name) {
            return;
        }
        self.insert(key, &Offer { bid: I256::MAX, ready_ms: now_ms, ..order.clone() }, now_ms);
        // At once, however far its block is.
        let next = self.next;
        if let Some(item) = self.unplaced(key) {
            item.target = next;
            self.place(key, now_ms);
        }
    }

    /// Takes note of what an order pays.
    pub fn value(&mut self, content: ContentId, bid: I256, now_ms: u64) {
        let key = (content, Kind::Order);
        if let Some(item) = self.unplaced(key) {
            item.bid = bid;
            self.place(key, now_ms);
        }
    }

    /// Forgets an order of which nothing more is to be sent.
    pub fn withdraw(&mut self, content: ContentId) {
        self.remove((content, Kind::Order));
    }

    /// Notes what the builder said of an order to another relay, or before a start. For which of several blocks was not told,
    /// so that such an order still goes out for each.
    pub fn heard(&mut self, content: ContentId, is_taken: bool, now_ms: u64) {
        let key = (content, Kind::Order);
        let Some(item) = self.items.get_mut(&key) else { return };
        let (name, last) = (item.name, item.blocks.1);
        let (is_busy, is_of_one) = (item.is_busy, item.is_of_one());
        if is_taken {
            self.sent.insert(name, last);
        }
        match (is_taken, is_busy, is_of_one) {
            (true, false, true) => self.taken(key, now_ms),
            (false, false, _) => {
                if let Some(item) = self.unplaced(key) {
                    item.is_over = true;
                }
            }
            _ => {}
        }
    }

    /// Takes note of the number of the next block: returns how many orders it is too late for that the builder neither took nor
    /// refused.
    pub fn advance(&mut self, next: u64, now_ms: u64) -> usize {
        self.next = next;
        let mut late = 0;
        while let Some((_, key)) = self.ends.first().copied().filter(|(last, _)| *last < next) {
            let missed = |item: &Item| key.1 == Kind::Order && !item.has_it && !item.is_over;
            late += usize::from(self.items.get(&key).is_some_and(missed));
            self.remove(key);
        }
        let behind = |(key, item): (&Key, &Item)| {
            (item.target < next && !item.is_busy && !item.is_over).then_some(*key)
        };
        // Of several blocks, or one that was undone: for one block alone it would have ended.
        let behind: Vec<Key> = self.items.iter().filter_map(behind).collect();
        for key in behind {
            if let Some(item) = self.unplaced(key) {
                item.target = next;
                self.place(key, now_ms);
            }
        }
        self.sent.retain(|_, last| *last >= next);
        while let Some((_, _, key)) = self.early.first().copied().filter(|(from, ..)| *from <= next) {
            self.unplaced(key);
            self.place(key, now_ms);
        }
        late
    }

    /// True if something is to be sent now.
    pub fn is_due(&mut self, now_ms: u64) -> bool {
        while let Some((_, _, key)) = self.waiting.first().copied().filter(|(ready, ..)| *ready <= now_ms) {
            self.unplaced(key);
            self.place(key, now_ms);
        }
        !self.due.is_empty()
    }

    /// Next step of a lane that has nothing to do.
    pub fn next(&mut self, now_ms: u64) -> Next {
        self.is_due(now_ms);
        let Some((block, _, _, key)) = self.due.pop_first() else {
            return Next::Wait(self.waiting.first().map(|(ready, ..)| *ready));
        };
        // Sets and items agree: an item that is due is there.
        let Some(item) = self.items.get_mut(&key) else { return Next::Wait(Some(now_ms)) };
        item.is_busy = true;
        let is_first = key.1 == Kind::Order && item.failures == 0 && !item.has_it;
        let (name, last) = (item.name, item.blocks.1);
        // From now on it may have it, whatever it answers.
        self.sent.insert(name, last);
        Next::Send(Job { content: key.0, kind: key.1, name, block, is_first })
    }

    /// Takes the end of a job.
    pub fn report(&mut self, job: Job, done: Done, now_ms: u64) {
        let key = (job.content, job.kind);
        let next = self.next;
        let Some(item) = self.items.get_mut(&key).filter(|item| item.is_busy) else { return };
        item.is_busy = false;
        match done {
            Done::Taken | Done::Dry => {
                item.target = item.target.max(job.block);
                self.taken(key, now_ms);
            }
            Done::Refused => item.is_over = true,
            Done::Withdrawn => self.remove(key),
            Done::Failed => {
                let wait_ms = AGAIN_MS.saturating_mul(1 << item.failures.min(10)).min(AGAIN_MAX_MS);
                item.failures = item.failures.saturating_add(1);
                item.ready_ms = now_ms.saturating_add(wait_ms);
                item.target = item.target.max(next);
                self.place(key, now_ms);
            }
        }
    }

    /// Number of messages that wait for the builder or are on their way to it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.due.len() + self.waiting.len() + self.items.values().filter(|item| item.is_busy).count()
    }

    /// True if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn taken(&mut self, key: Key, now_ms: u64) {
        let next = self.next;
        let Some(item) = self.unplaced(key) else { return };
        (item.has_it, item.failures) = (true, 0);
        let later = item.target.saturating_add(1).max(next);
        if key.1 == Kind::Cancel || later > item.blocks.1 {
            item.is_over = true;
            return;
        }
        item.target = later;
        self.place(key, now_ms);
    }

    /// Puts an item where it waits.
    fn place(&mut self, key: Key, now_ms: u64) {
        let Some(item) = self.items.get(&key).filter(|item| !item.is_busy && !item.is_over) else { return };
        let from = item.from(self.ahead);
        if self.next < from {
            self.early.insert((from, item.number, key));
        } else if item.ready_ms > now_ms {
            self.waiting.insert((item.ready_ms, item.number, key));
        } else {
            self.due.insert((item.target, Reverse(item.bid), item.number, key));
        }
    }

    /// Takes an item out of the set in which it waits.
    fn unplaced(&mut self, key: Key) -> Option<&mut Item> {
        let item = self.items.get_mut(&key)?;
        self.early.remove(&(item.from(self.ahead), item.number, key));
        self.waiting.remove(&(item.ready_ms, item.number, key));
        self.due.remove(&(item.target, Reverse(item.bid), item.number, key));
        Some(item)
    }

    fn remove(&mut self, key: Key) {
        if let Some(item) = self.unplaced(key) {
            let last = item.blocks.1;
            self.ends.remove(&(last, key));
            self.items.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests;
