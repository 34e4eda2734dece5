//! Reports of the loop about itself, for metrics, `/status`, `/ready` and the service manager.

use crate::Live as _;
use crate::catch_up::CatchUp;
use crate::error::Error;
use crate::events::Event;
use crate::follow::Follower;
use crate::heads::HeadTracker;
use crate::liveness::missing;
use crate::metrics::Gauges;
use maidenlane_chain::{ForkWatch, UnknownFork};
use maidenlane_service::{Health, Tracer, clock, with_causes};
use maidenlane_state::Head;
use maidenlane_store::Gaps;
use std::time::{Duration, Instant};

/// Extension of the start's timeout, requested again and again while a start takes long.
pub(crate) const START_WAIT: Duration = Duration::from_secs(30);
/// Time without the log after which the daemon gives up, so that the service manager restarts it.
const GIVE_UP_AFTER: Duration = Duration::from_secs(600);

/// Reporter of the loop.
pub(crate) struct Report {
    /// Name of the section in `/status`.
    section: &'static str,
    health: Health,
    gauges: Gauges,
    events: Tracer<Event>,
    /// Measurement of the catch-up, until it first follows.
    catch_up: Option<CatchUp>,
    forks: ForkWatch,
    stale: bool,
    /// Time since which the log is away.
    away: Option<Instant>,
    /// Time since which the disk takes no writes.
    refused: Option<Instant>,
    /// Block down to which the past is brought.
    past_from: Option<u64>,
}

impl Report {
    pub(crate) fn new(section: &'static str, health: Health, gauges: Gauges, events: Tracer<Event>) -> Self {
        let (forks, catch_up, past_from) = (ForkWatch::default(), None, None);
        let (stale, away, refused) = (false, None, None);
        Self { section, health, gauges, events, catch_up, forks, stale, away, refused, past_from }
    }

    /// Expects blocks of the past, down to this one: until they are there, the status line says how far they are.
    pub(crate) const fn expect_past(&mut self, from: u64) {
        self.past_from = Some(from);
    }

    /// Reports why there are no heads yet.
    pub(crate) fn not_yet(&self, reason: impl Into<String>) {
        self.health.set_unready(reason);
    }

    /// The log is away. Heads that were shown grow stale meanwhile.
    ///
    /// # Errors
    /// It has been for too long.
    pub(crate) fn log_away(
        &mut self,
        source: maidenlane_log::Error,
        heads: Option<&HeadTracker>,
    ) -> Result<(), Error> {
        let since = *self.away.get_or_insert_with(|| {
            self.events.emit(&Event::LogAway { reason: with_causes(&source) });
            Instant::now()
        });
        if since.elapsed() > GIVE_UP_AFTER {
            return Err(Error::Away { waited_s: since.elapsed().as_secs(), source });
        }
        self.waits("the log is away", &source, heads);
        Ok(())
    }

    /// The disk of the database takes no writes. Heads that were shown grow stale meanwhile. False once it has been so
    /// for too long.
    pub(crate) fn disk_refuses(
        &mut self,
        source: &maidenlane_store::Error,
        heads: Option<&HeadTracker>,
    ) -> bool {
        let since = *self.refused.get_or_insert_with(|| {
            self.events.emit(&Event::DiskRefuses { reason: with_causes(source) });
            Instant::now()
        });
        self.waits("the disk takes no writes", source, heads);
        since.elapsed() < GIVE_UP_AFTER
    }

    /// Notes that the disk takes writes: the database is open.
    pub(crate) const fn disk_is_back(&mut self) {
        self.refused = None;
    }

    fn waits(&mut self, obstacle: &str, why: &dyn std::error::Error, heads: Option<&HeadTracker>) {
        self.health.progress();
        let why = with_causes(why);
        match heads {
            Some(heads) => {
                heads.set_obstacle(Some(format!("{obstacle}: {why}")));
                self.freshness(heads.head().number, None, heads);
            }
            None => {
                let reason = format!("waiting: {why}");
                self.health.set_status_line(&reason);
                self.health.set_unready(reason);
                self.health.extend_timeout(START_WAIT);
            }
        }
    }

    /// Notes that the log has answered.
    pub(crate) fn log_is_back(&mut self, heads: Option<&HeadTracker>) {
        if self.away.take().is_some()
            && let Some(heads) = heads
        {
            heads.set_obstacle(None);
        }
    }

    /// Reports one turn of the loop.
    pub(crate) fn turn(&mut self, follower: &mut Follower, heads: Option<&HeadTracker>) {
        self.health.progress();
        let head = follower.facts().head.unwrap_or_default();
        self.gauges.head.set(i64::try_from(head.number).unwrap_or(i64::MAX));
        let Some(heads) = heads else { return self.catching_up(follower, head.number) };
        let floor = follower.facts().base;
        self.gauges.floor.set(i64::try_from(floor).unwrap_or(i64::MAX));
        let comes = self.past_from.is_some_and(|from| from < floor);
        self.freshness(head.number, comes.then_some(floor), heads);
        self.sender_gaps(&follower.facts().sender_gaps);
        self.unknown_forks(heads);
    }

    /// How fresh the heads are, and what follows for `/ready`; tells the floor that is on its way down.
    fn freshness(&mut self, head: u64, floor: Option<u64>, heads: &HeadTracker) {
        let fitness = heads.fitness();
        self.gauges.expected.set(i64::try_from(fitness.expected).unwrap_or(i64::MAX));
        match &fitness.stale {
            Some(reason) if !self.stale => {
                self.events.emit(&Event::Stale { reason: reason.clone() });
                self.health.set_unready(reason.clone());
            }
            None if self.stale => {
                self.events.emit(&Event::Following);
                self.health.set_ready();
            }
            _ => {}
        }
        self.stale = fitness.stale.is_some();
        let lag = fitness.expected.saturating_sub(head);
        let line = format!("block {head} (lag {lag}, silent {} ms)", fitness.silent_ms);
        self.health.set_status_line(&match floor {
            Some(floor) => format!("{line}, blocks from {floor} on"),
            None => line,
        });
        let state = if self.stale { "stale" } else { "following" };
        let value = serde_json::json!({
            "state": state, "head": head, "expected": fitness.expected, "silentMs": fitness.silent_ms,
            "obstacle": heads.obstacle(),
        });
        self.health.set_section(self.section, value);
    }

    /// Reports progress on the way to the feed's end, and extends the timeout of a start that waits for that.
    fn catching_up(&mut self, follower: &mut Follower, head: u64) {
        self.health.extend_timeout(START_WAIT);
        let now = Instant::now();
        let first = follower.facts().position.map_or(0, |position| position.offset);
        let catch_up = self.catch_up.get_or_insert_with(|| CatchUp::new(first, now));
        if !catch_up.due(now) {
            return;
        }
        // A log that is away is met by the next read.
        let Ok((next, end)) = follower.reach() else { return };
        let progress = catch_up.progress(next, end, now);
        let waits = progress.left == 0;
        self.health.set_status_line(&match (follower.missing(), end, waits) {
            (Some(block), _, _) => missing(block),
            (None, 0, _) => "the feed is empty: is its tap running?".to_owned(),
            (None, _, true) => format!("at block {head}, the feed's end: its tap is silent"),
            (None, _, false) => format!("recovering at block {head}: {progress}"),
        });
        let value = serde_json::json!({
            "state": "recovering", "head": head, "recordsLeft": progress.left,
            "etaSeconds": progress.eta.filter(|_| !waits).map(|eta| eta.as_secs()),
        });
        self.health.set_section(self.section, value);
    }

    /// Progress of the filling of senders.
    fn sender_gaps(&self, gaps: &Gaps) {
        let (filled_to, missing) = (gaps.newest().map_or(0, |gap| gap.end), gaps.blocks());
        self.gauges.senders_missing.set(i64::try_from(missing).unwrap_or(i64::MAX));
        let value = serde_json::json!({ "filledTo": filled_to, "blocksMissing": missing });
        self.health.set_section("senders", value);
    }

    /// The next fork that this build does not implement.
    fn unknown_forks(&mut self, heads: &HeadTracker) {
        let (view, now_s) = (heads.view(), clock::now().as_secs());
        let Head { header, rules, .. } = view.head();
        let unknown = UnknownFork::next(rules.forks(), header.number, header.timestamp, now_s);
        if let Some(fork) = unknown.as_ref().filter(|fork| self.forks.is_due(fork, now_s)) {
            self.events.emit(&Event::UnknownFork(fork.clone()));
        }
        let time_s = unknown.as_ref().map_or(0, |fork| i64::try_from(fork.time_s).unwrap_or(i64::MAX));
        self.gauges.unknown_fork.set(time_s);
        let fork =
            unknown.map(|fork| serde_json::json!({ "name": fork.name, "secondsLeft": fork.seconds_left }));
        self.health.set_section("unknownFork", fork.into());
    }
}

#[cfg(test)]
mod tests;
