//! Fates of orders, as the topic of fates tells them.
//!
//! # Correctness
//! - Of fates that say the same the first counts, and one of a round that is over says nothing: relays tell a fate again after a
//!   crash, and several tell the same.
//! - Fates and orders are read by readers of their own, so that a fate may come before its order. It is kept all the same;
//!   what is kept is bounded by number, and the oldest goes.

use maidenlane_chain::{Address, BlockRef};
use maidenlane_wire::{BundleFate, ContentId, Delivery};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// Word of a builder on an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// Taken.
    Sent {
        /// Unix time in milliseconds.
        at_ms: u64,
    },
    /// Not taken, for a reason in the builder's words.
    Refused {
        /// Reason.
        reason: String,
        /// Unix time in milliseconds.
        at_ms: u64,
    },
}

/// End of an order, as the chain has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A block holds it.
    Landed(BlockRef),
    /// The last block that could hold it does not.
    Missed(BlockRef),
    /// The time was over before.
    Expired,
}

/// All that was told of one order.
#[derive(Clone, PartialEq, Eq)]
pub struct History {
    /// Address whose key signed the order.
    pub signer: Address,
    /// Number of reorganisations that took a fate back.
    pub round: u64,
    /// Words of builders, by their names.
    pub words: BTreeMap<String, Word>,
    /// End, if it has one.
    pub end: Option<End>,
    /// True once that is final.
    pub is_final: bool,
}

/// Neither the signer nor what builders said.
impl std::fmt::Debug for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("History").field("round", &self.round).finish_non_exhaustive()
    }
}

/// All that was told.
#[derive(Debug)]
pub struct Told {
    most: usize,
    orders: HashMap<ContentId, History>,
    /// In the order in which they came.
    oldest: VecDeque<ContentId>,
}

impl Told {
    /// Nothing yet; of more orders than `most`, none is kept.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most: most.max(1), orders: HashMap::new(), oldest: VecDeque::new() }
    }

    /// History of an order.
    #[must_use]
    pub fn of(&self, content: ContentId) -> Option<&History> {
        self.orders.get(&content)
    }

    /// Orders that were told of.
    pub fn all(&self) -> impl Iterator<Item = (ContentId, &History)> {
        self.orders.iter().map(|(content, history)| (*content, history))
    }

    /// Takes a fate; true if it says something new.
    pub fn take(&mut self, fate: &BundleFate) -> bool {
        if !self.orders.contains_key(&fate.content) {
            if self.orders.len() >= self.most
                && let Some(oldest) = self.oldest.pop_front()
            {
                self.orders.remove(&oldest);
            }
            self.oldest.push_back(fate.content);
        }
        self.orders.entry(fate.content).or_insert_with(|| History::of(fate.signer)).take(fate)
    }
}

impl History {
    /// Nothing of an order of this signer's.
    #[must_use]
    pub const fn of(signer: Address) -> Self {
        Self { signer, round: 0, words: BTreeMap::new(), end: None, is_final: false }
    }

    fn take(&mut self, fate: &BundleFate) -> bool {
        let (at_ms, in_round) = (fate.at_ms, fate.round == self.round);
        let end = match &fate.fate {
            Delivery::Sent { builder } => return self.word(builder, Word::Sent { at_ms }),
            Delivery::Refused { builder, reason } => {
                return self.word(builder, Word::Refused { reason: reason.clone(), at_ms });
            }
            // What signers do stands in the topic of orders, in the one order that counts.
            Delivery::Cancelled | Delivery::Replaced { .. } => return false,
            Delivery::Uncled { .. } => {
                let is_news = in_round && self.end.is_some() && !self.is_final;
                if is_news {
                    (self.round, self.end) = (self.round.saturating_add(1), None);
                }
                return is_news;
            }
            Delivery::Final { .. } => {
                let is_news = in_round && self.end.is_some() && !self.is_final;
                self.is_final |= is_news;
                return is_news;
            }
            Delivery::Landed { block } => End::Landed(*block),
            Delivery::Missed { block } => End::Missed(*block),
            Delivery::Expired => End::Expired,
        };
        let is_news = in_round && self.end.is_none();
        if is_news {
            self.end = Some(end);
        }
        is_news
    }

    /// A builder that took an order has it, whatever another relay heard of it.
    fn word(&mut self, builder: &str, word: Word) -> bool {
        let is_news = match (self.words.get(builder), &word) {
            (None, _) | (Some(Word::Refused { .. }), Word::Sent { .. }) => true,
            (Some(_), _) => false,
        };
        if is_news {
            self.words.insert(builder.to_owned(), word);
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::{End, History, Told, Word};
    use maidenlane_chain::{Address, B256, BlockRef};
    use maidenlane_wire::{BundleFate, ContentId, Delivery};

    fn fate(content: u8, round: u64, fate: Delivery) -> BundleFate {
        BundleFate {
            content: ContentId::new(B256::repeat_byte(content)),
            signer: Address::repeat_byte(1),
            relay: [1; 16],
            round,
            fate,
            at_ms: 7,
        }
    }

    fn block(number: u64, hash: u8) -> BlockRef {
        BlockRef { number, hash: B256::repeat_byte(hash) }
    }

    fn of(told: &Told, content: u8) -> History {
        told.of(ContentId::new(B256::repeat_byte(content))).unwrap().clone()
    }

    #[test]
    fn the_first_of_a_kind_counts_and_a_builder_that_took_it_has_it() {
        let mut told = Told::new(10);
        let sent = || Delivery::Sent { builder: "one".to_owned() };
        let refused =
            |reason: &str| Delivery::Refused { builder: "one".to_owned(), reason: reason.to_owned() };
        assert!(told.take(&fate(1, 0, refused("no"))) && !told.take(&fate(1, 0, refused("never"))));
        assert_eq!(of(&told, 1).words["one"], Word::Refused { reason: "no".to_owned(), at_ms: 7 });
        assert!(told.take(&fate(1, 0, sent())) && !told.take(&fate(1, 0, sent())));
        assert!(!told.take(&fate(1, 0, refused("late"))));
        assert_eq!(of(&told, 1).words["one"], Word::Sent { at_ms: 7 });
    }

    #[test]
    fn a_reorganisation_takes_an_end_back_once() {
        let mut told = Told::new(10);
        assert!(told.take(&fate(1, 0, Delivery::Landed { block: block(5, 1) })));
        assert!(!told.take(&fate(1, 0, Delivery::Missed { block: block(6, 1) })), "it has an end");
        assert!(told.take(&fate(1, 0, Delivery::Uncled { block: block(5, 1) })));
        assert!(!told.take(&fate(1, 0, Delivery::Uncled { block: block(5, 1) })), "told again after a crash");
        assert!(!told.take(&fate(1, 0, Delivery::Landed { block: block(5, 1) })), "of the round before");
        assert_eq!((of(&told, 1).round, of(&told, 1).end), (1, None));
        assert!(told.take(&fate(1, 1, Delivery::Missed { block: block(6, 2) })));
        assert!(told.take(&fate(1, 1, Delivery::Final { block: block(6, 2) })));
        assert!(!told.take(&fate(1, 1, Delivery::Uncled { block: block(6, 2) })), "final is final");
        assert_eq!((of(&told, 1).end, of(&told, 1).is_final), (Some(End::Missed(block(6, 2))), true));
    }

    #[test]
    fn the_oldest_goes_when_there_are_too_many() {
        let mut told = Told::new(2);
        for content in 1..=3 {
            told.take(&fate(content, 0, Delivery::Expired));
        }
        assert_eq!(told.all().count(), 2);
        assert_eq!(told.of(ContentId::new(B256::repeat_byte(1))), None);
    }
}
