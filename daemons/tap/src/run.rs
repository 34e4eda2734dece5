//! The one loop: listens to the master, looks at the spool, does what [`crate::follow`] says.
//!
//! It runs on a thread of its own. Nothing else appends to the feed or talks to the master, so nothing can overtake.

mod begin;
mod blocks;
mod check;
mod tell;

use crate::config::Settings;
use crate::error::Error;
use crate::events::Event;
use crate::follow::{Follow, Input, Step};
use crate::master::Master;
use crate::nodes::Sets;
use crate::publish::Publisher;
use crate::spool::{Spool, Watch};
use crate::tail::Chain;
use check::Ahead;
use maidenlane_chain::{B256, BlockRef};
use maidenlane_log::Backend;
use maidenlane_service::{Current, Health, Shutdown, Tracer};
use maidenlane_wire::Open;
use std::time::{Duration, Instant, SystemTime};

/// How long a canonical block may lack frames before it is a hole: the hook retries a failing write meanwhile.
const HOLE_AFTER: Duration = Duration::from_secs(10);
/// Between looks at the spool while an announced block lacks frames: at first they are a moment away.
const LOOK_SOON: Duration = Duration::from_micros(500);
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// How long the first is meant.
const SOON: Duration = Duration::from_millis(100);
/// Between attempts to reach a master or a log that is away.
const TRY_AGAIN: Duration = Duration::from_millis(250);
/// Without the log for so long, let the service manager begin afresh.
const GIVE_UP_AFTER: Duration = Duration::from_secs(600);

/// A running tap.
pub struct Tap {
    settings: Current<Settings>,
    chain: Chain,
    events: Tracer<Event>,
    health: Health,
    shutdown: Shutdown,
    spool: Spool,
    /// Tells of frames that come.
    watch: Watch,
    /// The block that came last, if it may be announced next.
    ahead: Option<Ahead>,
    follow: Follow,
    publisher: Publisher,
    /// What publishes trie nodes, if that is asked for.
    sets: Option<Sets>,
    master: Option<Master>,
    /// The master's head and the time of its answer, as of the last tick.
    seen: Option<(BlockRef, SystemTime)>,
    waiting: Option<(BlockRef, Instant)>,
    next_tick: Instant,
    next_reclaim: Instant,
    failing_since: Option<Instant>,
    /// What failed last, told once.
    away: Option<String>,
}

impl Tap {
    /// Reads the feed's tail.
    ///
    /// # Errors
    /// When the log is away or holds another chain's feed.
    pub fn new(
        settings: Current<Settings>,
        chain: Chain,
        log: &Backend,
        events: Tracer<Event>,
        health: Health,
        shutdown: Shutdown,
    ) -> Result<Self, Error> {
        let publisher = Publisher::new(log, &settings.get().topic, chain)?;
        let sets = settings.get().proofs_topic.as_ref().map(|topic| Sets::new(log, topic)).transpose()?;
        let spool = Spool::new(&settings.get().spool);
        let now = Instant::now();
        Ok(Self {
            settings,
            chain,
            events,
            health,
            shutdown,
            spool,
            watch: Watch::default(),
            ahead: None,
            follow: Follow::default(),
            publisher,
            sets,
            master: None,
            seen: None,
            waiting: None,
            next_tick: now,
            next_reclaim: now,
            failing_since: None,
            away: None,
        })
    }

    /// Runs until the shutdown or a failure that does not pass.
    ///
    /// # Errors
    /// What does not pass.
    pub fn run(mut self) -> Result<(), Error> {
        while !self.shutdown.is_triggered() {
            match self.turn() {
                Ok(()) => {
                    (self.failing_since, self.away) = (None, None);
                    self.health.progress();
                }
                Err(error) if error.passes() => self.pass(error)?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Notes a failure that may pass and waits a little.
    fn pass(&mut self, error: Error) -> Result<(), Error> {
        let since = *self.failing_since.get_or_insert_with(Instant::now);
        let reason = error.with_causes();
        if self.away.as_ref() != Some(&reason) {
            self.events.emit(&Event::Away { reason: reason.clone() });
        }
        self.health.set_unready(reason.clone());
        self.health.set_status_line(&reason);
        self.health.extend_timeout(crate::START_WAIT);
        self.away = Some(reason);
        if let Error::Master(cause) = &error {
            self.seen = None;
            if !cause.is_refusal() {
                self.master = None;
            }
        } else if since.elapsed() >= GIVE_UP_AFTER {
            let waited_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
            return Err(Error::GaveUp { waited_ms, source: Box::new(error) });
        }
        self.health.progress();
        std::thread::sleep(TRY_AGAIN);
        Ok(())
    }

    fn turn(&mut self) -> Result<(), Error> {
        self.connect()?;
        let (announced, written) = self.listen()?;
        let ticked = Instant::now() >= self.next_tick;
        if written || !announced.is_empty() || ticked || self.waiting.is_some() {
            let newest = self.look()?;
            // What was announced already is checked where it is published.
            if let Some(block) = newest.filter(|_| announced.is_empty() && self.waiting.is_none()) {
                self.look_ahead(block)?;
            }
        }
        for head in announced {
            self.follow.note(Input::Announced(head));
        }
        if ticked {
            self.next_tick = Instant::now() + self.settings.get().heartbeat;
            self.ask()?;
        }
        if ticked && self.publisher.tail().published.head().is_none() {
            self.begin()?;
        }
        if self.publisher.tail().published.head().is_some() {
            self.go_on()?;
        }
        if ticked {
            self.tell()?;
        }
        Ok(())
    }

    fn connect(&mut self) -> Result<(), Error> {
        if self.master.is_some() {
            return Ok(());
        }
        let mut master = Master::connect(&self.settings.get().ipc)?;
        let (id, genesis) = master.identity()?;
        if (id, genesis) != (self.chain.id, self.chain.genesis) {
            let (wanted_id, wanted) = (self.chain.id, self.chain.genesis);
            return Err(Error::WrongChain { wanted_id, wanted, found_id: id, found: genesis });
        }
        self.master = Some(master);
        self.watch = Watch::new(&self.settings.get().spool);
        self.waiting = None;
        self.follow.note(Input::Restarted);
        self.events.emit(&Event::Connected { published: self.publisher.tail().published.head() });
        Ok(())
    }

    fn master(&mut self) -> Result<&mut Master, Error> {
        self.master.as_mut().ok_or(Error::Master(crate::ipc::Error::Closed))
    }

    /// Heads announced by now, or until the next tick; and whether frames came, which end the wait as well.
    fn listen(&mut self) -> Result<(Vec<BlockRef>, bool), Error> {
        let mut most = self.next_tick.saturating_duration_since(Instant::now());
        if let Some((_, since)) = self.waiting {
            most = most.min(if since.elapsed() < SOON { LOOK_SOON } else { LOOK_AGAIN });
        }
        let master = self.master.as_mut().ok_or(Error::Master(crate::ipc::Error::Closed))?;
        let written = master.wait(&self.watch, most)?;
        let mut heads = Vec::new();
        while let Some(head) = master.announced()? {
            heads.push(head);
        }
        Ok((heads, written))
    }

    /// Looks for frames; tells the newest block that is new.
    fn look(&mut self) -> Result<Option<B256>, Error> {
        let found = self.spool.scan()?;
        if found.init {
            self.follow.note(Input::Restarted);
        }
        if found.holes + found.torn > 0 {
            self.events.emit(&Event::SpoolGap { holes: found.holes, torn: found.torn });
        }
        Ok(found.newest)
    }

    fn ask(&mut self) -> Result<(), Error> {
        self.seen = None;
        let head = self.master()?.head()?;
        self.seen = Some((head, SystemTime::now()));
        self.follow.note(Input::Polled(head));
        Ok(())
    }

    /// Does what is to be done until there is nothing more.
    fn go_on(&mut self) -> Result<(), Error> {
        while !self.shutdown.is_triggered() {
            let resuming = self.follow.resuming();
            let step = self.follow.step(&self.publisher.tail().published, &self.spool);
            if resuming && !self.follow.resuming() {
                self.events.emit(&Event::Resumed);
            }
            if !matches!(step, Step::Wait { .. }) {
                self.waiting = None;
            }
            match step {
                Step::Idle => return Ok(()),
                Step::Reached => self.reached()?,
                Step::Confirm(_) => {
                    let head = self.master()?.head()?;
                    self.follow.note(Input::Polled(head));
                }
                Step::Wait { target, missing } if missing.number == 0 => {
                    return Err(Error::BelowBase(target));
                }
                Step::Wait { missing, .. } => {
                    if !self.borrow(missing)? {
                        return self.wait_for(missing);
                    }
                }
                Step::Deeper => {
                    if !self.publisher.remember_more()? {
                        let head = self.publisher.tail().published.head().unwrap_or_default();
                        return Err(Error::BelowBase(head));
                    }
                }
                Step::BelowBase(block) => return Err(Error::BelowBase(block)),
                Step::Change(change) if !self.publisher.is_open() => {
                    self.open()?;
                    // The feed may have moved until our OPEN stood: decide anew.
                    self.follow.again(change.target);
                }
                Step::Change(change) => {
                    self.change(&change)?;
                    // Blocks come at whole seconds and heartbeats at whole parts of one: keep them apart.
                    self.next_tick = self.next_tick.min(Instant::now() + self.settings.get().heartbeat / 2);
                }
            }
        }
        Ok(())
    }

    fn wait_for(&mut self, missing: BlockRef) -> Result<(), Error> {
        match self.waiting {
            Some((block, since)) if block == missing => {
                if since.elapsed() >= HOLE_AFTER {
                    return Err(Error::Hole(missing));
                }
            }
            _ => {
                self.waiting = Some((missing, Instant::now()));
                self.events.emit(&Event::Waiting { missing });
            }
        }
        Ok(())
    }

    /// The master stands at the published head: a change that a dead tap left half-way is complete.
    fn reached(&mut self) -> Result<(), Error> {
        if !self.publisher.is_open() {
            self.open()?;
        }
        if self.publisher.tail().reader.more() {
            let head = self.master()?.head()?;
            self.seen = Some((head, SystemTime::now()));
            let beat = self.heartbeat(false);
            self.publish_signs(None, beat)?;
        }
        Ok(())
    }

    fn open(&mut self) -> Result<(), Error> {
        let init = self.spool.init()?.clone();
        self.publisher.open(Open {
            chain_id: self.chain.id,
            genesis: self.chain.genesis,
            chain_config: init.chain_config,
            client_version: init.client_version,
        })?;
        self.events.emit(&Event::Opened { epoch: self.publisher.tail().reader.epoch() });
        Ok(())
    }
}

#[cfg(test)]
mod tests;
