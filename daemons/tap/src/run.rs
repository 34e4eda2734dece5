//! Main loop of the tap: listens to the master, looks at the spool, does what [`crate::follow`] says.
//!
//! The loop runs on a thread of its own. Nothing else appends to the feed or talks to the master, so nothing can
//! overtake.

mod begin;
mod blocks;
mod connection;
mod lookahead;
mod output;
mod pace;
mod reporter;
mod signs;
mod start;

use crate::config::{Begin, Settings};
use crate::error::Error;
use crate::events::Event;
use crate::follow::{Follow, Input, Step};
use crate::nodes::Sets;
use crate::pool::Owned;
use crate::publish::{Draft, Publisher};
use crate::published::Published;
use crate::spool::Spool;
use crate::tail::Chain;
use blocks::Blocks;
use connection::Connection;
use lookahead::Lookahead;
use maidenlane_chain::BlockRef;
use maidenlane_log::Backend;
use maidenlane_service::{Current, Health, Shutdown, Tracer};
use maidenlane_wire::{Open, Record};
use output::Output;
use pace::Pace;
use reporter::{Reporter, Status};
use std::time::{Duration, Instant};

pub(crate) use reporter::START_WAIT;
pub(crate) use start::Start;

/// Time that a canonical block may lack frames before that is told: the hook retries a failing write meanwhile.
const HOLE_AFTER: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 10 });
/// Interval of looks at the spool while an announced block lacks frames: at first they are a moment away.
const LOOK_SOON: Duration = Duration::from_micros(500);
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// Duration of the wait in which [`LOOK_SOON`] applies; after it, [`LOOK_AGAIN`] up to [`HOLE_AFTER`].
const SOON: Duration = Duration::from_millis(100);
/// Interval of attempts to reach a master or a log that is away.
const TRY_AGAIN: Duration = Duration::from_millis(250);
/// Interval of looks for spool segments to delete.
const RECLAIM_EVERY: Duration = Duration::from_secs(10);

/// A running tap.
pub struct Tap {
    settings: Current<Settings>,
    chain: Chain,
    /// Told whether the feed is ours to write.
    owned: Owned,
    events: Tracer<Event>,
    shutdown: Shutdown,
    follow: Follow,
    blocks: Blocks,
    lookahead: Lookahead,
    output: Output,
    reporter: Reporter,
    pace: Pace,
    /// The block whose frames are missing, and since when the tap has waited for frames.
    waiting: Option<(BlockRef, Instant)>,
    /// The block that a new feed will begin at, and the newest one that is final.
    unfinal: Option<(BlockRef, Option<BlockRef>)>,
    next_tick: Instant,
    next_reclaim: Instant,
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
        let now = settings.get();
        let publisher = Publisher::new(log, &now.topic, chain)?;
        let sets = now.proofs_topic.as_ref().map(|topic| Sets::new(log, topic)).transpose()?;
        let connection = Connection::new(settings.clone(), chain);
        let spool = Spool::new(&now.spool);
        let blocks = Blocks::new(settings.clone(), spool, connection, events.clone(), health.clone());
        Ok(Self {
            settings,
            chain,
            owned: Owned::default(),
            shutdown,
            follow: Follow::default(),
            blocks,
            lookahead: Lookahead::new(events.clone()),
            output: Output::new(publisher, sets, events.clone(), health.clone()),
            reporter: Reporter::new(events.clone(), health),
            events,
            pace: Pace::default(),
            waiting: None,
            unfinal: None,
            next_tick: Instant::now(),
            next_reclaim: Instant::now(),
        })
    }

    /// The same, telling whether the feed is its own to write.
    pub(crate) fn telling(self, owned: Owned) -> Self {
        Self { owned, ..self }
    }

    /// Runs until the shutdown or a failure that does not pass.
    ///
    /// # Errors
    /// The failure that does not pass.
    pub fn run(mut self) -> Result<(), Error> {
        while !self.shutdown.is_triggered() {
            let turned = self.turn();
            let epoch = self.output.publisher.epoch().filter(|_| turned.is_ok());
            self.owned.set(epoch.map(|epoch| (epoch, self.chain)));
            match turned {
                Ok(()) => self.reporter.works(),
                Err(error) if error.passes() => {
                    if let Error::Master(cause) = &error {
                        self.blocks.connection.failed(cause);
                    }
                    self.reporter.fails(error)?;
                    std::thread::sleep(TRY_AGAIN);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn turn(&mut self) -> Result<(), Error> {
        if self.blocks.connection.ensure()? {
            self.waiting = None;
            self.follow.note(Input::Restarted);
            self.events.emit(&Event::Connected { published: self.published().head() });
        }
        let written = self.blocks.connection.wait(self.patience());
        let ticked = Instant::now() >= self.next_tick;
        if written || ticked || self.waiting.is_some() {
            self.look_ahead()?;
        }
        if ticked || self.pace.is_due(Instant::now()) {
            let announced = self.blocks.announced()?;
            self.pace.asked(Instant::now(), &announced);
            for head in announced {
                self.follow.note(Input::Announced(head));
            }
        }
        if ticked {
            self.next_tick = Instant::now() + self.settings.get().heartbeat;
            let head = self.blocks.connection.head()?;
            self.follow.note(Input::Polled(head));
            if self.published().head().is_none() {
                self.begin(head)?;
            }
        }
        if self.published().head().is_some() {
            self.go_on()?;
        }
        if ticked {
            self.tick()?;
        }
        Ok(())
    }

    fn published(&self) -> &Published {
        &self.output.publisher.tail().published
    }

    /// Time to wait for frames: until something else is due, or until frames that are awaited are looked for.
    fn patience(&self) -> Duration {
        let now = Instant::now();
        let due = self.pace.due().map_or(self.next_tick, |due| due.min(self.next_tick));
        let left = due.saturating_duration_since(now);
        match self.waiting {
            Some((_, since)) if since.elapsed() < SOON => left.min(LOOK_SOON),
            Some((_, since)) if since.elapsed() < HOLE_AFTER => left.min(LOOK_AGAIN),
            _ => left,
        }
    }

    /// Looks for frames; the newest block that is new is checked before the master announces it.
    fn look_ahead(&mut self) -> Result<(), Error> {
        let Some(block) = self.blocks.look()?.newest else { return Ok(()) };
        self.pace.executed(Instant::now(), block);
        if self.waiting.is_none() {
            let head = self.published().head();
            self.lookahead.look(block, head, &mut self.blocks)?;
        }
        Ok(())
    }

    /// Publishes GENESIS if the spool goes back to it from the master's head. If it does not, and the settings say so,
    /// START at the block where the spool begins, once that is final. Does nothing if another tap has done it meanwhile.
    fn begin(&mut self, head: BlockRef) -> Result<(), Error> {
        // The head is younger than the last look: its frames may have come since.
        self.blocks.look()?;
        let base = self.blocks.base(head);
        let genesis = if base.number == 0 { begin::genesis(&self.blocks, self.chain.genesis)? } else { None };
        let record = match genesis {
            Some(genesis) => Record::Genesis(genesis),
            None if self.settings.get().begin != Begin::Genesis => {
                if self.settings.get().begin == Begin::Spool && !self.is_final(base)? {
                    return Ok(());
                }
                Record::Start(begin::start(&mut self.blocks, base)?)
            }
            // A feed cannot be given another beginning later: what the hook still holds back may come within its time.
            None if self.has_waited(base, self.waiting.is_none()) => {
                return Err(Error::NotFromGenesis { spool: self.settings.get().spool.clone(), base });
            }
            None => return Ok(()),
        };
        self.open()?;
        if self.published().head().is_none() {
            self.output.publisher.publish(vec![Draft { record, more: false }])?;
        }
        Ok(())
    }

    /// True if `base` is final. A feed that began at a block which then leaves the chain could go on nowhere, and every
    /// replica would have to be made anew.
    fn is_final(&mut self, base: BlockRef) -> Result<bool, Error> {
        let finalized = self.blocks.connection.master()?.tagged("finalized")?;
        if finalized.is_some_and(|block| block.number >= base.number) {
            self.unfinal = None;
            return Ok(true);
        }
        if self.unfinal.is_none_or(|(block, _)| block != base) {
            self.events.emit(&Event::Unfinal { base });
        }
        self.unfinal = Some((base, finalized));
        Ok(false)
    }

    /// Does pending steps until there is nothing more to do, or something else is due.
    fn go_on(&mut self) -> Result<(), Error> {
        while !self.shutdown.is_triggered() {
            let resuming = self.follow.resuming();
            let published = &self.output.publisher.tail().published;
            let step = self.follow.step(published, &self.blocks.spool);
            if resuming && !self.follow.resuming() {
                self.events.emit(&Event::Resumed);
                if self.output.publisher.is_open() {
                    self.reporter.writes();
                }
            }
            if !matches!(step, Step::Wait { .. }) {
                self.waiting = None;
            }
            match step {
                Step::Idle => return Ok(()),
                Step::Reached => self.reached()?,
                Step::Confirm(_) => {
                    let head = self.blocks.connection.head()?;
                    self.follow.note(Input::Polled(head));
                }
                Step::Wait { target, missing } if missing.number == 0 => {
                    return Err(Error::BelowBase(target));
                }
                Step::Wait { target, missing } => {
                    if !self.blocks.borrow(missing, published)? {
                        return self.wait_for(missing, target);
                    }
                }
                Step::Deeper => {
                    if !self.output.publisher.remember_more()? {
                        return Err(Error::BelowBase(self.published().head().unwrap_or_default()));
                    }
                }
                Step::BelowBase(block) => return Err(Error::BelowBase(block)),
                Step::Change(change) if !self.output.publisher.is_open() => {
                    self.open()?;
                    // The feed may have moved until our OPEN stood: decide anew.
                    self.follow.again(change.target);
                }
                Step::Change(change) => {
                    self.output.change(&change, &mut self.blocks, &mut self.lookahead)?;
                    // Blocks come at whole seconds and heartbeats at whole parts of one: keep them apart.
                    let now = Instant::now();
                    if self.next_tick <= now {
                        return Ok(());
                    }
                    self.next_tick = self.next_tick.min(now + self.settings.get().heartbeat / 2);
                }
            }
        }
        Ok(())
    }

    /// Waits for the frames of `missing`, on the way to the master's head `target`.
    ///
    /// # Correctness
    /// A hook whose spool is full keeps frames in memory for as long as they fit, and writes them in the order of their
    /// blocks, or a HOLE in their place. So a block is lost if frames of its child are in the spool, or a HOLE is the last
    /// word there. The head alone without frames is none: to give up on it would turn a disk that is full for a moment
    /// into a repair by hand. Where geth was killed with frames in memory, or runs without the hook, that shows with the
    /// next block whose frames come.
    fn wait_for(&mut self, missing: BlockRef, target: BlockRef) -> Result<(), Error> {
        let anew = self.waiting.is_none_or(|(block, _)| block != missing);
        let lost = missing != target || self.blocks.spool.ends_in_hole();
        if self.has_waited(missing, anew) && lost { Err(Error::Hole(missing)) } else { Ok(()) }
    }

    /// Waits for the frames of `missing`, another block than before if `anew`. True once that has taken too long.
    fn has_waited(&mut self, missing: BlockRef, anew: bool) -> bool {
        let since = self.waiting.map_or_else(Instant::now, |(_, since)| since);
        if anew {
            self.events.emit(&Event::Waiting { missing });
        }
        self.waiting = Some((missing, since));
        since.elapsed() >= HOLE_AFTER
    }

    /// Publishes the end of a change that a dead tap left half-way: the master stands at the published head.
    fn reached(&mut self) -> Result<(), Error> {
        self.open()?;
        if self.output.publisher.tail().reader.more() {
            self.blocks.connection.head()?;
            let resuming = self.follow.resuming();
            let beat = signs::heartbeat(&self.blocks.connection, &self.output, resuming, false);
            signs::publish(&mut self.output, &self.events, None, beat)?;
        }
        Ok(())
    }

    /// Becomes the feed's writer.
    fn open(&mut self) -> Result<(), Error> {
        if self.output.publisher.is_open() {
            return Ok(());
        }
        let init = self.blocks.spool.init()?.clone();
        let network_id = self.blocks.connection.master()?.network_id()?;
        self.output.publisher.open(Open {
            chain_id: self.chain.id,
            genesis: self.chain.genesis,
            chain_config: init.chain_config,
            client_version: init.client_version,
            network_id: Some(network_id),
        })?;
        self.reporter.writes();
        self.events.emit(&Event::Opened { epoch: self.output.publisher.tail().reader.epoch() });
        Ok(())
    }

    /// Does what is due once per tick: heartbeat, finality, status, spool.
    fn tick(&mut self) -> Result<(), Error> {
        self.output.publisher.refresh()?;
        let resuming = self.follow.resuming();
        if self.output.publisher.is_open() {
            let connection = &mut self.blocks.connection;
            let finality = if resuming { None } else { signs::finality(connection, &mut self.output)? };
            let more = self.output.publisher.tail().reader.more();
            let beat = signs::heartbeat(connection, &self.output, resuming, more);
            signs::publish(&mut self.output, &self.events, finality, beat)?;
        }
        self.reporter.report(&Status {
            publisher: &self.output.publisher,
            spool: &self.blocks.spool,
            master: self.blocks.connection.seen(),
            resuming,
            unfinal: self.unfinal,
            missing: self.waiting.map(|(block, since)| (block, since.elapsed() >= HOLE_AFTER)),
        });
        if Instant::now() >= self.next_reclaim {
            self.next_reclaim = Instant::now() + RECLAIM_EVERY;
            self.reclaim()?;
        }
        Ok(())
    }

    /// Deletes spool segments whose blocks can no longer be needed.
    fn reclaim(&mut self) -> Result<(), Error> {
        let Some(head) = self.published().head() else { return Ok(()) };
        let deep = head.number.saturating_sub(self.settings.get().keep_depth);
        let done = self.output.publisher.finalized().min(head.number).max(deep);
        let segments = self.blocks.spool.reclaim(done)?;
        if segments > 0 {
            self.events.emit(&Event::Reclaimed { segments });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
