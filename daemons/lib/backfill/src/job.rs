//! Back-fill of a replica that serves: a group of blocks after the other, down to where the settings say.
//!
//! Everything is found, checked and encoded on this thread; the follower writes it when it is idle, and takes no more than
//! it can write, so that this thread waits for it while a replica catches up.

use crate::events::{Event, Part};
use crate::pace::Pace;
use crate::source::Address;
use crate::sources::Sources;
use maidenlane_chain::BlockRef;
use maidenlane_chain::block::decode_header;
use maidenlane_replay::Live;
use maidenlane_service::{Exit, Failure, Health, Shutdown, Tracer};
use maidenlane_state::{ReadError, StateView};
use maidenlane_store::{Group, Piece};
use serde_json::json;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::{Duration, Instant};

/// Pieces that wait for the follower: some 4 MB.
pub const PIECES_MAX: usize = 8;
/// Interval of looks at the shutdown during a wait.
const LOOK: Duration = Duration::from_millis(50);
/// Longest time after which all sources are asked again for a block that none of them has.
const ASK_AGAIN: Duration = Duration::from_secs(600);

/// Plan of a back-fill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Block down to which all are brought.
    pub from: u64,
    /// Sources, in the order in which they are asked.
    pub sources: Vec<Address>,
    /// Most bytes a second, of blocks and receipts.
    pub bytes_per_s: u64,
}

/// Back-fill on its way.
struct Job<'a> {
    plan: &'a Plan,
    live: &'a dyn Live,
    pieces: &'a SyncSender<Piece>,
    health: &'a Health,
    shutdown: &'a Shutdown,
    events: Tracer<Event>,
    sources: Sources,
    /// Part of a block that no source had, as was told last.
    lacks: Option<(u64, Part)>,
    pace: Pace,
    /// Time of the beginning, and the floor by then.
    begun: (Instant, u64),
}

/// End of a group.
enum Ended {
    /// As far down as it goes.
    Full,
    /// No source has this of the block below.
    Short(Part),
    /// The daemon stops, or the follower has.
    Stopped,
}

/// Brings blocks until all are there or the daemon stops.
///
/// # Errors
/// When the store cannot be read, or the plan is of blocks that are not there yet.
pub fn run(
    plan: &Plan,
    live: &Arc<dyn Live>,
    pieces: &SyncSender<Piece>,
    health: &Health,
    shutdown: &Shutdown,
    events: &Tracer<Event>,
) -> Result<(), Failure> {
    let (events, now) = (events.clone(), Instant::now());
    let head = live.view().head().block.number;
    if plan.from > head {
        let wrong =
            format!("backfill.from: block {} is above the head, block {head}: name one below", plan.from);
        return Err(Failure::new(Exit::Settings, wrong));
    }
    let (sources, pace) = (Sources::new(&plan.sources, shutdown.clone()), Pace::new(plan.bytes_per_s, now));
    let (live, begun) = (&**live, (now, 0));
    let mut job = Job { plan, live, pieces, health, shutdown, events, sources, lacks: None, pace, begun };
    job.run().map_err(|error| Failure::new(Exit::Data, error))
}

impl Job<'_> {
    fn run(&mut self) -> Result<(), ReadError> {
        let view = self.live.view();
        let (mut floor, from) = (view.head().body_floor, self.plan.from);
        if floor > from {
            self.events.emit(&Event::Begun { floor, from });
        }
        self.begun.1 = floor;
        let mut next = parent(&*view, floor)?;
        drop(view);
        while floor > from {
            self.report(None);
            let mut group = Group::below(floor);
            let ended = self.collect(&mut group, &mut next);
            floor = group.lowest();
            if matches!(ended, Ended::Stopped) || !group.finish().all(|piece| self.send(piece)) {
                return Ok(());
            }
            if let Ended::Short(part) = ended {
                self.wait_for(part, floor);
            }
            if self.shutdown.is_triggered() {
                return Ok(());
            }
        }
        self.settle(floor);
        self.events.emit(&Event::Whole { floor });
        self.report(None);
        Ok(())
    }

    /// Waits until heads show everything down to `floor`.
    fn settle(&self, floor: u64) {
        while self.shown() > floor && !self.shutdown.is_triggered() {
            thread::sleep(LOOK);
        }
    }

    /// Floor of the head that is shown.
    fn shown(&self) -> u64 {
        self.live.view().head().body_floor
    }

    /// Collects a group from `next` down, and hands over what is full.
    fn collect(&mut self, group: &mut Group, next: &mut BlockRef) -> Ended {
        while group.lowest() > group.end().max(self.plan.from) {
            if self.shutdown.is_triggered() {
                return Ended::Stopped;
            }
            let whole = match self.sources.whole(*next) {
                Ok(whole) => whole,
                Err(part) => return Ended::Short(part),
            };
            self.sources.changes().iter().for_each(|change| self.events.emit(change));
            let bytes = whole.block.bytes();
            *next = BlockRef::new(next.number.saturating_sub(1), whole.parent);
            // Its receipts were read when they were checked.
            let Ok(piece) = group.add(whole.block) else { return Ended::Short(Part::Receipts) };
            if !piece.is_none_or(|piece| self.send(piece)) {
                return Ended::Stopped;
            }
            let time = self.pace.note(bytes, Instant::now());
            self.wait(time);
        }
        Ended::Full
    }

    /// Hands a piece to the follower; false once that is gone.
    fn send(&self, piece: Piece) -> bool {
        self.pieces.send(piece).is_ok()
    }

    /// Says what is lacking, and waits until all sources may be asked again.
    fn wait_for(&mut self, part: Part, floor: u64) {
        let (block, again) = (floor.saturating_sub(1), self.sources.again().unwrap_or(ASK_AGAIN));
        let (mut failed, mut others) = (Vec::new(), Vec::new());
        for change in self.sources.changes() {
            match change {
                Event::Failed(source) => failed.push(source),
                other => others.push(other),
            }
        }
        others.iter().for_each(|change| self.events.emit(change));
        if self.lacks.replace((block, part)) != Some((block, part)) || !failed.is_empty() {
            self.events.emit(&Event::Lacks { block, part, failed, again });
        }
        self.settle(floor);
        self.report(Some(format!("no source has the {} {block}", part.name())));
        self.wait(again);
        self.sources.list_anew();
    }

    fn wait(&self, time: Duration) {
        let until = Instant::now() + time;
        while let left = until.saturating_duration_since(Instant::now())
            && !left.is_zero()
            && !self.shutdown.is_triggered()
        {
            thread::sleep(left.min(LOOK));
        }
    }

    /// Reports how far it is in `/status`.
    fn report(&self, waits: Option<String>) {
        let floor = self.shown();
        let left = floor.saturating_sub(self.plan.from);
        let ms = u64::try_from(self.begun.0.elapsed().as_millis()).unwrap_or(u64::MAX);
        let brought = self.begun.1.saturating_sub(floor);
        let eta_s = left.saturating_mul(ms).checked_div(brought.saturating_mul(1_000));
        let state = match (&waits, left) {
            (Some(_), _) => "waiting",
            (None, 0) => "whole",
            (None, _) => "filling",
        };
        let source = |(address, reason): (&Address, Option<&str>)| json!({ "address": address.to_string(), "failed": reason });
        let sources: Vec<_> = self.sources.states().map(source).collect();
        let value = json!({
            "state": state, "floor": floor, "from": self.plan.from, "blocksLeft": left,
            "etaSeconds": eta_s.filter(|_| waits.is_none()), "waitsFor": waits, "sources": sources,
        });
        self.health.set_section("backfill", value);
    }
}

/// Parent of the block at the floor.
fn parent(view: &dyn StateView, floor: u64) -> Result<BlockRef, ReadError> {
    let damaged = |cause: &str| ReadError::new("header of the oldest block", cause);
    let hash = view.hash_of(floor)?.ok_or_else(|| damaged("its hash is not there"))?;
    let header = view.header(BlockRef::new(floor, hash))?.ok_or_else(|| damaged("it is not there"))?;
    let header =
        decode_header(&header).map_err(|error| ReadError::new("header of the oldest block", error))?;
    Ok(BlockRef::new(floor.saturating_sub(1), header.parent_hash))
}
