//! Delivery: each builder gets its orders over some lanes, from a queue of its own, so that none waits for another.
//!
//! # Correctness
//! - What counts is asked of the book right before an order goes out: nothing is sent that was cancelled or replaced by
//!   an entry which this relay has read. A cancel that is read while a request is under way follows it.
//! - An order is sent again until the builder answers or its block has come, always with the same bytes, and so under the same
//!   `Idempotency-Key`. A crash between an answer and its fate in the log costs one repetition, never a delivery.
//!
//! # Why another relay's orders wait
//! Each relay reads all orders. The one that took an order delivers it at once, and the others deliver what nobody has told of within
//! [`OTHERS_AFTER_MS`], or at once where that one does not live ([`crate::company`]).

use crate::company::Company;
use crate::config::Builder;
use crate::failpoints;
use crate::fates::Fates;
use crate::metrics::Gauges;
use crate::orders::Orders;
use crate::post::{self, Post};
use crate::queue::{Done, Job, Kind, Next, Offer};
use crate::told::{End, History, Word};
use alloy::primitives::I256;
use maidenlane_chain::Address;
use maidenlane_service::{Failure, Shutdown, TaskGroup, clock, failpoint, with_causes};
use maidenlane_wire::{ContentId, Delivery};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Time after which an order that another relay took is delivered here, unless that one did.
pub const OTHERS_AFTER_MS: u64 = 300;
/// Longest wait of a lane that has nothing to do: news wakes it before.
const NAP: Duration = Duration::from_secs(60);
/// Interval of looks at what is still due before an end.
const LOOK: Duration = Duration::from_millis(20);

/// Courier of a relay. Cheap to clone.
#[derive(Clone)]
pub struct Courier(Arc<Parts>);

struct Parts {
    orders: Orders,
    fates: Fates,
    company: Company,
    builders: Vec<Post>,
    gauges: Gauges,
    born: Instant,
}

impl Courier {
    /// A courier to the builders that orders are sent to.
    ///
    /// # Errors
    /// When a key or a credential cannot be used.
    pub fn new(
        orders: Orders,
        fates: Fates,
        company: Company,
        builders: &[Builder],
        gauges: Gauges,
    ) -> Result<Self, post::Unusable> {
        let builders = builders.iter().filter_map(|builder| Some((&builder.name, builder.push.as_ref()?)));
        let builders: Result<Vec<Post>, _> = builders.map(|(name, push)| Post::new(name, push)).collect();
        let (builders, born) = (builders?, Instant::now());
        Ok(Self(Arc::new(Parts { orders, fates, company, builders, gauges, born })))
    }

    fn now_ms(&self) -> u64 {
        clock::millis(self.0.born.elapsed())
    }

    /// Takes an order that counts from now on.
    pub fn offer(&self, content: ContentId) {
        let now_ms = self.now_ms();
        let Some((offer, named)) = self.offered(content, now_ms) else { return };
        for builder in &self.0.builders {
            let mut queue = builder.queue();
            match named.is_empty() || named.contains(&builder.name) {
                true => queue.offer(&offer, now_ms),
                false => queue.take_back(&offer, now_ms),
            }
            drop(queue);
            builder.news.notify_one();
        }
        // After that: a fate which is read meanwhile is noticed here or there.
        let history = self.0.fates.told().of(content).cloned();
        let Some(History { words, end, .. }) = history else { return };
        for (builder, word) in words {
            self.heard(content, &builder, matches!(word, Word::Sent { .. }));
        }
        if matches!(end, Some(End::Landed(_) | End::Expired)) {
            self.withdraw(content);
        }
    }

    fn offered(&self, content: ContentId, now_ms: u64) -> Option<(Offer, Vec<String>)> {
        let book = self.0.orders.book();
        let checked = book.deliverable(content)?;
        let bundle = &checked.bundle;
        let relay = bundle.taken.relay;
        let is_anothers = relay != self.0.fates.relay() && self.0.company.lives(relay);
        let offer = Offer {
            content,
            name: uuid::Builder::from_random_bytes(self.0.orders.keys().outward(bundle)).into_uuid(),
            blocks: bundle.blocks,
            bid: I256::try_from(*checked.bid.reveal()).unwrap_or(I256::MAX),
            ready_ms: if is_anothers { now_ms.saturating_add(OTHERS_AFTER_MS) } else { now_ms },
        };
        Some((offer, bundle.builders.clone()))
    }

    /// Takes a cancel of an order that counted.
    pub fn cancel(&self, content: ContentId) {
        for builder in &self.0.builders {
            builder.queue().cancel(content, self.now_ms());
            builder.news.notify_one();
        }
    }

    /// Takes note of what an order pays.
    pub fn value(&self, content: ContentId, bid: I256) {
        self.0.builders.iter().for_each(|builder| builder.queue().value(content, bid, self.now_ms()));
    }

    /// Keeps an order back until it is offered again, from builders that have it, too, or the one that it replaces.
    pub fn hold(&self, content: ContentId) {
        let now_ms = self.now_ms();
        let Some((offer, _)) = self.offered(content, now_ms) else { return };
        for builder in &self.0.builders {
            let mut queue = builder.queue();
            queue.withdraw(content);
            queue.take_back(&offer, now_ms);
            drop(queue);
            builder.news.notify_one();
        }
    }

    /// Forgets an order that a block holds, or whose time is over.
    pub fn withdraw(&self, content: ContentId) {
        self.0.builders.iter().for_each(|builder| builder.queue().withdraw(content));
    }

    /// Notes what a builder said of an order to any relay.
    pub fn heard(&self, content: ContentId, builder: &str, is_taken: bool) {
        if let Some(builder) = self.0.builders.iter().find(|known| known.name == builder) {
            builder.queue().heard(content, is_taken, self.now_ms());
        }
    }

    /// Takes note of the number of the next block.
    pub fn advance(&self, next: u64) {
        for builder in &self.0.builders {
            let late = builder.queue().advance(next, self.now_ms());
            self.0.gauges.late(&builder.name, late);
            builder.news.notify_one();
        }
    }

    /// Starts the lanes, which work until `ended`.
    pub fn start(&self, tasks: &TaskGroup, ended: &Shutdown) {
        for (index, builder) in self.0.builders.iter().enumerate() {
            for lane in 0..builder.lanes {
                let work = self.clone().lane(index, ended.clone(), tasks.shutdown().clone());
                tasks.spawn(&format!("{} {lane}", builder.name), work);
            }
        }
    }

    /// Builders, for `/status`. A fault is in words of ours: a builder's own may repeat an order.
    #[must_use]
    pub fn shown(&self) -> serde_json::Value {
        let each = self.0.builders.iter().map(|builder| {
            let waiting = builder.queue().len();
            self.0.gauges.queued(&builder.name, waiting);
            let (is_open, fault) = builder.standing();
            (
                builder.name.clone(),
                serde_json::json!({
                    "waiting": waiting, "leftAlone": is_open, "fault": fault, "dryRun": builder.is_dry,
                }),
            )
        });
        serde_json::Value::Object(each.collect())
    }

    /// True unless all builders are left alone after faults.
    #[must_use]
    pub fn reaches_some(&self) -> bool {
        let mut sent_to = self.0.builders.iter().filter(|builder| !builder.is_dry).peekable();
        sent_to.peek().is_none() || sent_to.any(|builder| !builder.standing().0)
    }

    /// Waits until all that is due is delivered, or `within` is over.
    pub async fn drained(&self, within: Duration) {
        let until = Instant::now() + within;
        while self.0.builders.iter().any(|builder| !builder.queue().is_empty()) && Instant::now() < until {
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn lane(self, index: usize, ended: Shutdown, stop: Shutdown) -> Result<(), Failure> {
        let Some(builder) = self.0.builders.get(index) else { return Ok(()) };
        while !ended.is_triggered() {
            let until = match self.next(builder) {
                Next::Send(job) => {
                    // Another lane may have as much to do.
                    builder.news.notify_one();
                    self.deliver(builder, job).await;
                    continue;
                }
                Next::Wait(until) => until,
            };
            let wait = until.map(|until| Duration::from_millis(until.saturating_sub(self.now_ms()).max(1)));
            let woken = tokio::time::timeout(wait.map_or(NAP, |wait| wait.min(NAP)), builder.news.notified());
            // Late or woken, there may be something to do.
            let _ = ended.unless(woken).await;
        }
        stop.triggered().await;
        Ok(())
    }

    fn next(&self, builder: &Post) -> Next {
        let now_ms = self.now_ms();
        let mut queue = builder.queue();
        if queue.is_due(now_ms)
            && let Err(wait_ms) = self.0.company.may_send()
        {
            return Next::Wait(Some(now_ms.saturating_add(wait_ms)));
        }
        if queue.is_due(now_ms)
            && let Err(until_ms) = builder.may_ask(now_ms)
        {
            return Next::Wait(Some(until_ms));
        }
        queue.next(now_ms)
    }

    async fn deliver(&self, builder: &Post, job: Job) {
        if job.is_first {
            self.0.company.begin(job.content);
        }
        self.attempt(builder, job).await;
        if job.is_first {
            self.0.company.end(job.content);
        }
    }

    async fn attempt(&self, builder: &Post, job: Job) {
        let Some((signer, request)) = self.request(builder, job) else {
            return builder.queue().report(job, Done::Withdrawn, self.now_ms());
        };
        let (done, fate) = match request {
            Err(unsaid) => (Done::Refused, Some(unsaid.to_string())),
            Ok(request) => {
                failpoint(failpoints::BEFORE_SEND);
                let begun = Instant::now();
                let (done, reason) = builder.send(request, || self.now_ms()).await;
                self.0.gauges.delivered(&builder.name, done, begun.elapsed());
                failpoint(failpoints::AFTER_SEND);
                (done, reason)
            }
        };
        if let Some(signer) = signer {
            self.tell(&builder.name, (job.content, signer), done, fate);
        }
        builder.queue().report(job, done, self.now_ms());
    }

    /// Request of a job, and, but for a cancel, the signer of its order; `None` where that does not count any more.
    fn request(&self, builder: &Post, job: Job) -> Option<(Option<Address>, post::Said)> {
        if job.kind == Kind::Cancel {
            return Some((None, Ok(builder.cancel(job.name))));
        }
        // Transactions are shared, not copied: the book is not held while the request is written.
        let (bundle, hash) = {
            let book = self.0.orders.book();
            let checked = book.deliverable(job.content)?;
            (checked.bundle.clone(), *checked.hash.reveal())
        };
        Some((Some(bundle.signer), builder.order(&bundle, job.block, job.name, hash)))
    }

    fn tell(
        &self,
        builder: &str,
        (content, signer): (ContentId, Address),
        done: Done,
        reason: Option<String>,
    ) {
        let before = self.0.fates.told().of(content).and_then(|history| history.words.get(builder).cloned());
        let builder = builder.to_owned();
        let fate = match (done, reason, before) {
            // Of several blocks, for one before.
            (_, _, Some(Word::Sent { .. })) | (Done::Refused, _, Some(_)) => return,
            (Done::Taken, ..) => Delivery::Sent { builder },
            (Done::Refused, Some(reason), None) => Delivery::Refused { builder, reason },
            _ => return,
        };
        if let Err(error) = self.0.fates.tell(content, signer, fate) {
            tracing::warn!("a delivery is not in the log: {}", with_causes(&error));
        }
    }
}
