//! The loop: news of logs, nodes and time into the pending set, and what follows from them out of it.
//!
//! # Correctness
//! Everything that may wait waits elsewhere: a node's answer in its lane, an append in the journal, a block in the
//! follower. The loop itself waits only for room in the journal, when the log is away: then nothing may be decided that
//! nobody can be told.

use crate::failpoints;
use crate::life::{Flight, Stage};
use crate::metrics::{Gauges, signed};
use crate::pending::{Answer, Pending};
use crate::turn::{Action, Now, Standing};
use crate::upstream::Upstream;
use crate::{follow, intake, upstream};
use maidenlane_service::{Failure, Health, Shutdown, clock, failpoint};
use maidenlane_wire::{Fate, Outcome};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::sync::watch;

/// Interval of reports.
const REPORT_EVERY: Duration = Duration::from_millis(500);
/// News that are taken at a time.
const NEWS_MAX: usize = 256;

/// The steady clock.
#[derive(Clone, Copy, Debug)]
pub struct Steady(Instant);

/// Time at which the steady clock begins: what is on its way may be older than this process.
const STEADY_BEGINS_MS: u64 = 60 * 24 * 60 * 60 * 1_000;

impl Steady {
    /// A clock that begins now.
    #[must_use]
    pub fn new() -> Self {
        Self(Instant::now())
    }

    /// Present time in milliseconds.
    #[must_use]
    pub fn ms(&self) -> u64 {
        STEADY_BEGINS_MS.saturating_add(clock::millis(self.0.elapsed()))
    }

    fn now(&self) -> Now {
        Now { steady_ms: self.ms(), unix_ms: clock::now_ms() }
    }
}

impl Default for Steady {
    fn default() -> Self {
        Self::new()
    }
}

/// Sources of news.
pub struct Sources {
    /// The topic of transactions.
    pub intake: Receiver<intake::News>,
    /// The feed.
    pub feed: Receiver<follow::News>,
    /// The nodes.
    pub upstreams: Receiver<upstream::News>,
    /// Number of outcomes that are durable.
    pub durable: watch::Receiver<u64>,
}

/// Delivery: the loop, and all that it works with.
pub struct Deliver {
    /// Names of the nodes.
    pub names: Vec<String>,
    /// The nodes.
    pub upstreams: Vec<Upstream>,
    /// All transactions on their way.
    pub pending: Pending,
    /// Most transactions on their way, and most bytes.
    pub room: (usize, usize),
    /// The journal.
    pub journal: Sender<Vec<Outcome>>,
    /// Positions to be committed.
    pub commits: intake::Commits,
    /// Tells the member that no more entries are wanted.
    pub full: Arc<AtomicBool>,
    /// Unix times in seconds from which on blocks are wanted.
    pub wanted: SyncSender<u64>,
    /// The steady clock.
    pub clock: Steady,
    /// Metrics.
    pub gauges: Gauges,
    /// Health.
    pub health: Health,
    /// State that only reports need.
    pub seen: Seen,
}

/// State that only reports need.
#[derive(Debug, Default)]
pub struct Seen {
    joined: bool,
    fresh: bool,
    standings: Vec<Option<Standing>>,
    partitions: usize,
    deleted: u64,
}

impl Deliver {
    /// Runs until the shutdown.
    ///
    /// # Errors
    /// None but a task's that ended before it should.
    pub async fn run(mut self, mut from: Sources, shutdown: Shutdown) -> Result<(), Failure> {
        let mut reported = Instant::now();
        while !shutdown.is_triggered() {
            let due = self.pending.due_ms().map_or(REPORT_EVERY, |due| {
                Duration::from_millis(due.saturating_sub(self.clock.ms())).min(REPORT_EVERY)
            });
            tokio::select! {
                biased;
                () = shutdown.triggered() => break,
                Ok(()) = from.durable.changed() => {}
                Some(news) = from.upstreams.recv() => self.of_upstream(news),
                Some(news) = from.feed.recv() => self.of_feed(news),
                Some(news) = from.intake.recv() => self.of_intake(news),
                () = tokio::time::sleep(due) => {}
            }
            for _ in 0..NEWS_MAX {
                if let Ok(news) = from.upstreams.try_recv() {
                    self.of_upstream(news);
                } else if let Ok(news) = from.intake.try_recv() {
                    self.of_intake(news);
                } else {
                    break;
                }
            }
            self.pending.tick(self.clock.now());
            self.pending.made_durable(*from.durable.borrow_and_update());
            self.act().await;
            self.full.store(self.is_full(), Ordering::Relaxed);
            if reported.elapsed() >= REPORT_EVERY {
                reported = Instant::now();
                self.report();
            }
        }
        // The journal ends with its sender, when all that was told is appended.
        Ok(())
    }

    fn of_intake(&mut self, news: intake::News) {
        let now = self.clock.now();
        match news {
            intake::News::Joined => self.seen.joined = true,
            intake::News::Came { at: (partition, offset), tx, taken_ms } => {
                self.pending.take(partition, offset, tx, taken_ms, now);
            }
            intake::News::Unfit { at, of, reason } => self.pending.refuse(at, of, reason, now),
            intake::News::Foreign { at: (partition, offset) } => self.pending.skip(partition, offset),
            intake::News::Deleted { entries } => {
                self.gauges.deleted.inc_by(entries);
                self.seen.deleted = self.seen.deleted.saturating_add(entries);
            }
            intake::News::Gained { partition, rebuilt } => {
                self.seen.partitions += 1;
                self.pending.gain(partition, rebuilt, now);
            }
            intake::News::Lost { partition } => {
                self.seen.partitions = self.seen.partitions.saturating_sub(1);
                self.pending.lose(partition);
            }
        }
    }

    /// True while no more entries are wanted.
    fn is_full(&self) -> bool {
        let ((count, bytes), (most, most_bytes)) = (self.pending.undecided(), self.room);
        count >= most || bytes >= most_bytes
    }

    fn of_feed(&mut self, news: follow::News) {
        let now = self.clock.now();
        match news {
            follow::News::Silent => self.set_fresh(false),
            follow::News::Stands { stretch, from_s } => {
                self.set_fresh(true);
                match from_s {
                    Some(from_s) => self.pending.replace_blocks(stretch, from_s, now),
                    None => self.pending.catch_up(stretch, now),
                }
            }
            follow::News::Changed(change) => self.pending.change(&change, now),
        }
    }

    fn set_fresh(&mut self, fresh: bool) {
        self.seen.fresh = fresh;
        self.pending.set_fresh(fresh);
    }

    fn of_upstream(&mut self, news: upstream::News) {
        let now = self.clock.now();
        match news {
            upstream::News::Answered { hash, upstream, answer, took } => {
                failpoint(failpoints::AFTER_ANSWER);
                if let Answer::Verdict { class, reason } = &answer {
                    let name = self.names.get(upstream).map_or("", String::as_str);
                    self.gauges.answered(name, *class);
                    tracing::debug!(%hash, upstream = name, %class, ?reason, ?took, "answered");
                }
                self.pending.answer(hash, upstream, answer, now);
            }
            upstream::News::Stands { upstream, standing } => {
                let name = self.names.get(upstream).map_or("", String::as_str);
                match standing {
                    Standing::Right => tracing::info!(upstream = name, "a node is of the right chain"),
                    _ => tracing::error!(upstream = name, "a node is of another chain, and gets nothing"),
                }
                self.seen.standings.resize(self.names.len(), None);
                if let Some(seen) = self.seen.standings.get_mut(upstream) {
                    *seen = Some(standing);
                }
                self.pending.stand(upstream, standing, now);
            }
        }
    }

    /// Does what the set wants done. Questions to a node that is busy come back at once, until there are none.
    async fn act(&mut self) {
        let mut outcomes = Vec::new();
        loop {
            let actions = self.pending.take_actions();
            if actions.is_empty() {
                break;
            }
            for action in actions {
                match action {
                    Action::Tell(outcome) => {
                        self.gauges.told(outcome.fate.name());
                        match (&outcome.fate, self.pending.flight(&outcome.hash)) {
                            (Fate::Accepted, Some(flight)) if outcome.round == 0 => {
                                let took_ms = self.clock.ms().saturating_sub(flight.since_ms);
                                self.gauges.accepted_after(Duration::from_millis(took_ms));
                            }
                            (Fate::Received, Some(flight)) => self.gauges.routed(&flight.route.name),
                            _ => {}
                        }
                        outcomes.push(outcome);
                    }
                    Action::Commit { partition, offset } => {
                        let mut commits =
                            self.commits.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                        commits.insert(partition, offset);
                    }
                    // The follower takes wishes ten times a second, and the set makes few.
                    Action::Want(since_s) => drop(self.wanted.try_send(since_s)),
                    Action::Ask { tx, upstream, ask } => {
                        let taken = self.upstreams.get(upstream).is_some_and(|node| node.offer(&tx, ask));
                        if !taken {
                            self.pending.answer(tx.hash, upstream, Answer::Busy, self.clock.now());
                        }
                    }
                }
            }
        }
        // Gone only when the daemon is stopping.
        if !outcomes.is_empty() {
            let _ = self.journal.send(outcomes).await;
        }
    }

    /// Tells status, metrics and readiness.
    fn report(&self) {
        let pending = &self.pending;
        let (undecided, bytes) = pending.undecided();
        self.gauges.pending.set(signed(undecided));
        self.gauges.pending_bytes.set(signed(bytes));
        self.gauges.open.set(signed(pending.open()));
        self.gauges.fresh.set(i64::from(self.seen.fresh));
        let mut nodes = serde_json::Map::new();
        let mut right = 0;
        for (index, (name, node)) in self.names.iter().zip(&self.upstreams).enumerate() {
            let standing = self.seen.standings.get(index).copied().flatten();
            let (shown, is_right) = (node.shown(), standing == Some(Standing::Right));
            right += usize::from(is_right);
            self.gauges.stands(name, shown.waiting, is_right);
            let state = match standing {
                None | Some(Standing::Unproven) => "unproven",
                Some(Standing::Wrong) => "wrong chain",
                Some(Standing::Right) if shown.is_open => "left alone",
                Some(Standing::Right) => "right",
            };
            let value = json!({
                "state": state, "chainId": shown.chain_id, "waiting": shown.waiting, "fault": shown.fault,
            });
            nodes.insert(name.clone(), value);
        }
        self.health.set_section("upstreams", nodes.into());
        let stage =
            |wanted: fn(&Stage) -> bool| pending.flights().filter(|flight| wanted(&flight.stage)).count();
        let oldest = pending.flights().filter(|flight| flight.stage == Stage::Offered);
        let oldest_ms = oldest.map(|flight: &Flight| flight.since_ms).min();
        let waits_s = oldest_ms.map_or(0, |since| self.clock.ms().saturating_sub(since) / 1_000);
        let value = json!({
            "offered": stage(|stage| *stage == Stage::Offered),
            "held": stage(|stage| *stage == Stage::Held),
            "pending": stage(|stage| *stage == Stage::Pending),
            "decided": stage(|stage| matches!(stage, Stage::Decided { .. })),
            "bytes": bytes,
            "oldestOffered_s": waits_s,
            "openEntries": pending.open(),
            "partitions": self.seen.partitions,
            "full": self.is_full(),
            "deletedUnread": self.seen.deleted,
            "feedFresh": self.seen.fresh,
        });
        self.health.set_section("transactions", value);
        let line = format!(
            "{} on their way, {right} of {} nodes, {} partitions{}",
            pending.len(),
            self.names.len(),
            self.seen.partitions,
            if self.seen.fresh { "" } else { ", feed silent" },
        );
        self.health.set_status_line(&line);
        self.ready(right);
    }

    /// Fit by its own means once it is a member; without a node it says so and goes on.
    fn ready(&self, right: usize) {
        if !self.seen.joined {
            return self.health.set_unready("the log has not answered yet");
        }
        self.health.set_ready();
        if right == 0 {
            self.health.set_unready("no node of the right chain has answered");
        }
    }
}
