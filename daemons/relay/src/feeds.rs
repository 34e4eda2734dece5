//! Feeds: every signer is told the fates of his own orders, as they come and from where he stopped.
//!
//! # Why a cursor is a place in the topic
//! All fates of one signer stand in one partition, in one order for all relays. So a cursor is good at any of them, and after
//! any of them was started again, as long as the fates behind it are kept.

use crate::rejected;
use maidenlane_chain::{Address, B256, Bytes};
use maidenlane_jsonrpc::json::{Object, push_str};
use maidenlane_jsonrpc::{Events, Json, Publisher, subscriptions};
use maidenlane_wire::{BundleFate, Delivery};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Fates that are kept for those who were away.
const KEPT_MAX: usize = 100_000;
/// Subscriptions at one time.
const LISTENERS_MAX: usize = 10_000;

/// Place of a fate: partition and offset. As a text `PARTITION:OFFSET`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// Partition of the topic of fates.
    pub partition: u32,
    /// Offset of the entry.
    pub offset: u64,
}

/// Failure to go on from a cursor, or to open a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unopened {
    /// The fates behind the cursor are no longer kept.
    #[error(
        "fates behind that cursor are no longer kept: ask for the status of what is missing, and begin without a cursor"
    )]
    Gone,
    /// Too many feeds.
    #[error("too many feeds are open: ask for fates now and then instead")]
    Many,
}

/// Feed that is listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    /// All fates.
    Fates,
    /// Private transactions that no block held in time.
    Dropped,
    /// Transactions of orders that a builder does not take, or that this relay took and did not keep. Of what was before, nobody is
    /// told: fates say that of orders, and transactions are not kept for it.
    Rejected,
}

/// Order of a fate, as its sender knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    /// Hash of the bundle or of the private transaction.
    pub hash: B256,
    /// True for a private transaction.
    pub is_private: bool,
}

#[derive(Clone)]
struct Kept {
    at: Cursor,
    fate: BundleFate,
    order: Option<Named>,
}

/// Feeds of all signers. Cheap to clone.
#[derive(Clone, Default)]
pub struct Feeds(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    kept: VecDeque<Kept>,
    /// By partition, the offset up to which nothing is kept any more.
    cuts: BTreeMap<u32, u64>,
    listeners: Vec<(Address, Feed, Publisher)>,
}

impl Feeds {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells a fate to whoever listens for it, and keeps it for those who come.
    pub fn tell(&self, at: Cursor, fate: &BundleFate, order: Option<Named>) {
        let kept = Kept { at, fate: fate.clone(), order };
        let mut inner = self.inner();
        // Those who have gone, or are too far behind, are let go.
        inner.listeners.retain(|(signer, feed, listener)| {
            match kept.text(*feed).filter(|_| *signer == kept.fate.signer) {
                Some(text) => listener.send(Json::Owned(text)),
                None => !listener.is_closed(),
            }
        });
        if inner.kept.len() == KEPT_MAX
            && let Some(oldest) = inner.kept.pop_front()
        {
            inner.cuts.insert(oldest.at.partition, oldest.at.offset);
        }
        inner.kept.push_back(kept);
    }

    /// Tells whoever listens that the transactions of an order of this signer's are refused.
    pub fn reject(&self, signer: Address, txs: &[Bytes], reason: &str) {
        let mut inner = self.inner();
        let is_for =
            |(listens, feed, _): &(Address, Feed, Publisher)| *listens == signer && *feed == Feed::Rejected;
        if !inner.listeners.iter().any(is_for) {
            return;
        }
        for notice in txs.iter().filter_map(|tx| rejected::notice(tx.clone(), reason)) {
            inner.listeners.retain(|listener| !is_for(listener) || listener.2.send(notice.clone()));
        }
    }

    /// Fates of a signer's behind a cursor, at most so many, the oldest first.
    ///
    /// # Errors
    /// [`Unopened::Gone`].
    pub fn since(
        &self,
        signer: Address,
        cursor: Option<Cursor>,
        most: usize,
    ) -> Result<Vec<String>, Unopened> {
        let inner = self.inner();
        Ok(inner.since(signer, cursor)?.filter_map(|kept| kept.text(Feed::Fates)).take(most).collect())
    }

    /// Opens a feed that begins behind a cursor, or with what is kept, and goes on with what comes.
    ///
    /// # Errors
    /// When fates are missing between, or there are too many feeds.
    pub fn open(&self, signer: Address, feed: Feed, cursor: Option<Cursor>) -> Result<Events, Unopened> {
        let mut inner = self.inner();
        if inner.listeners.len() >= LISTENERS_MAX {
            return Err(Unopened::Many);
        }
        let (publisher, events) = subscriptions::channel();
        for text in inner.since(signer, cursor)?.filter_map(|kept| kept.text(feed)) {
            // Ended before it began: the client sees that at once.
            if !publisher.send(Json::Owned(text)) {
                break;
            }
        }
        inner.listeners.push((signer, feed, publisher));
        Ok(events)
    }
}

impl Inner {
    fn since(
        &self,
        signer: Address,
        cursor: Option<Cursor>,
    ) -> Result<impl Iterator<Item = &Kept>, Unopened> {
        let is_gone =
            |cursor: Cursor| self.cuts.get(&cursor.partition).is_some_and(|cut| *cut > cursor.offset);
        if cursor.is_some_and(is_gone) {
            return Err(Unopened::Gone);
        }
        Ok(self
            .kept
            .iter()
            .filter(move |kept| kept.fate.signer == signer && cursor.is_none_or(|cursor| kept.at > cursor)))
    }
}

impl Kept {
    /// Text of it in a feed, where that tells of it.
    fn text(&self, feed: Feed) -> Option<String> {
        match feed {
            Feed::Fates => Some(self.json()),
            Feed::Dropped => self.dropped(),
            Feed::Rejected => None,
        }
    }

    /// In the shape of a node's feed of the same name.
    fn dropped(&self) -> Option<String> {
        let Named { hash, .. } = self.order.filter(|order| order.is_private)?;
        if !matches!(self.fate.fate, Delivery::Missed { .. } | Delivery::Expired) {
            return None;
        }
        let mut out = String::new();
        let mut object = Object::new(&mut out);
        object.data("txhash", hash.as_slice());
        push_str(object.value("reason"), "old-txs");
        object.quantity("time", self.fate.at_ms);
        object.end();
        Some(out)
    }

    fn json(&self) -> String {
        let mut out = String::new();
        let mut object = Object::new(&mut out);
        push_str(object.value("cursor"), &self.at.to_string());
        object.data("contentId", self.fate.content.reveal().as_slice());
        if let Some(Named { hash, .. }) = self.order {
            object.data("bundleHash", hash.as_slice());
        }
        push_str(object.value("fate"), &self.fate.fate.name().to_lowercase());
        match &self.fate.fate {
            Delivery::Sent { builder } => push_str(object.value("builder"), builder),
            Delivery::Refused { builder, reason } => {
                push_str(object.value("builder"), builder);
                push_str(object.value("reason"), reason);
            }
            Delivery::Landed { block }
            | Delivery::Missed { block }
            | Delivery::Uncled { block }
            | Delivery::Final { block } => {
                object.quantity("blockNumber", block.number);
                object.data("blockHash", block.hash.as_slice());
            }
            Delivery::Cancelled | Delivery::Replaced { .. } | Delivery::Expired => {}
        }
        object.raw("round", &self.fate.round.to_string());
        object.raw("atMs", &self.fate.at_ms.to_string());
        object.end();
        out
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.partition, self.offset)
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (partition, offset) = text.split_once(':').ok_or(())?;
        let partition = partition.parse().map_err(|_| ())?;
        Ok(Self { partition, offset: offset.parse().map_err(|_| ())? })
    }
}

#[cfg(test)]
mod tests {
    use super::{Cursor, Feed, Feeds, KEPT_MAX, Named, Unopened};
    use maidenlane_chain::{Address, B256, Bytes};
    use maidenlane_wire::{BundleFate, ContentId, Delivery};

    fn tell(feeds: &Feeds, signer: u8, offset: u64) {
        let fate = BundleFate {
            content: ContentId::new(B256::repeat_byte(7)),
            signer: Address::repeat_byte(signer),
            relay: [1; 16],
            round: 0,
            fate: Delivery::Expired,
            at_ms: offset,
        };
        let order = Named { hash: B256::repeat_byte(9), is_private: true };
        feeds.tell(Cursor { partition: 0, offset }, &fate, Some(order));
    }

    fn offsets(feeds: &Feeds, signer: u8, cursor: Option<&str>, most: usize) -> Result<Vec<u64>, Unopened> {
        let cursor = cursor.map(|text| text.parse().unwrap());
        let told = feeds.since(Address::repeat_byte(signer), cursor, most)?;
        Ok(told
            .iter()
            .map(|text| serde_json::from_str::<serde_json::Value>(text).unwrap()["atMs"].as_u64().unwrap())
            .collect())
    }

    #[test]
    fn everybody_is_told_his_own_from_where_he_stopped() {
        let feeds = Feeds::default();
        for (signer, offset) in [(1, 0), (2, 1), (1, 2), (1, 3)] {
            tell(&feeds, signer, offset);
        }
        assert_eq!(offsets(&feeds, 1, None, 9), Ok(vec![0, 2, 3]));
        assert_eq!(offsets(&feeds, 1, Some("0:0"), 9), Ok(vec![2, 3]));
        assert_eq!(offsets(&feeds, 1, Some("0:0"), 1), Ok(vec![2]));
        assert_eq!(offsets(&feeds, 3, None, 9), Ok(vec![]));
        assert!("0".parse::<Cursor>().is_err() && "a:1".parse::<Cursor>().is_err());
    }

    #[test]
    fn a_cursor_before_what_is_kept_is_refused() {
        let feeds = Feeds::default();
        for offset in 0..=u64::try_from(KEPT_MAX).unwrap() + 1 {
            tell(&feeds, 1, offset);
        }
        assert_eq!(offsets(&feeds, 1, Some("0:0"), 1), Err(Unopened::Gone));
        assert_eq!(offsets(&feeds, 1, Some("0:1"), 1), Ok(vec![2]));
        assert_eq!(offsets(&feeds, 1, None, 1), Ok(vec![2]));
    }

    #[tokio::test]
    async fn a_feed_goes_on_with_what_comes() {
        let feeds = Feeds::default();
        tell(&feeds, 1, 0);
        let mut events = feeds.open(Address::repeat_byte(1), Feed::Fates, None).unwrap();
        let mut dropped = feeds.open(Address::repeat_byte(1), Feed::Dropped, None).unwrap();
        tell(&feeds, 2, 1);
        tell(&feeds, 1, 2);
        for expect in ["0:0", "0:2"] {
            let told: serde_json::Value =
                serde_json::from_str(events.next().await.unwrap().as_str()).unwrap();
            assert_eq!(told["cursor"], expect);
        }
        let told: serde_json::Value = serde_json::from_str(dropped.next().await.unwrap().as_str()).unwrap();
        let expect =
            serde_json::json!({ "txhash": B256::repeat_byte(9), "reason": "old-txs", "time": "0x0" });
        assert_eq!(told, expect);
        let mut rejected = feeds.open(Address::repeat_byte(1), Feed::Rejected, None).unwrap();
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../golden/bundles.json")).unwrap();
        let tx: Bytes = vectors["transactions"]["a"].as_str().unwrap().parse().unwrap();
        feeds.reject(Address::repeat_byte(2), std::slice::from_ref(&tx), "another's");
        feeds.reject(Address::repeat_byte(1), &[tx], "one: no");
        let told = rejected.next().await.unwrap();
        assert!(told.as_str().contains("\"reason\":\"one: no\""), "{}", told.as_str());
        drop((events, dropped, rejected));
        tell(&feeds, 2, 3);
        assert!(feeds.inner().listeners.is_empty(), "who has gone is let go");
    }
}
