//! Thread that appends to the filters' topic and reads it. Requests are answered in turns: the appends of all that wait
//! in one batch, then the topic to its present end, then the answers.

use super::arrivals::{Arrivals, CLOCKS_APART_MAX};
use super::cursors::{Cursors, EXPIRY, Made, Ms};
use super::descriptions::{Descriptions, Kept};
use super::id::{Description, Id, Signer};
use super::{Command, Found, Unavailable};
use maidenlane_log::{Append, Backend, Error, From, LogConsumer, LogProducer, Offset};
use maidenlane_service::clock::{millis, now_ms};
use maidenlane_wire::Filter;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// Most polled filters that are known; the oldest are forgotten first. More than there can be descriptions, so that no
/// owner's filters push out another's.
const FILTERS_MAX: usize = 400_000;
/// Most requests in one turn.
const BATCH_MAX: usize = 1_000;
const READ_BYTES_MAX: usize = 4 << 20;
/// Interval at which the entries of other replicas are read while there are no requests.
const IDLE: Duration = Duration::from_millis(200);
/// Timeout of reading the rest of the topic, in one turn.
const READ_WAIT: Duration = Duration::from_secs(3);
/// First step back from the topic's end, in entries; each further one is twice as long.
const STEP_BACK: u64 = 1_000;
/// Span of the topic that is read at start: every living filter has entries in it, whosever clock they tell of.
const WINDOW: Duration = Duration::from_secs(2 * EXPIRY.as_secs() + 60 + CLOCKS_APART_MAX.as_secs());

/// Answering side of [`super::Filters`].
pub struct Reader {
    log: Backend,
    /// Signer of descriptions, whose realm is the topic.
    signer: Arc<Signer>,
    commands: Receiver<Command>,
    open: Option<Open>,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Reader").field("topic", &self.signer.realm).finish_non_exhaustive()
    }
}

/// Opened topic, as far as it was read.
struct Open {
    producer: Box<dyn LogProducer>,
    consumer: Box<dyn LogConsumer>,
    next: Offset,
    signer: Arc<Signer>,
    arrivals: Arrivals,
    cursors: Cursors,
    descriptions: Descriptions,
}

impl Reader {
    pub(super) fn new(log: Backend, signer: Arc<Signer>, commands: Receiver<Command>) -> Self {
        Self { log, signer, commands, open: None }
    }

    /// Runs until the last [`super::Filters`] is gone.
    pub fn run(mut self) {
        // The first request need not wait for the topic to be opened.
        self.turn(Vec::new());
        loop {
            let first = match self.commands.recv_timeout(IDLE) {
                Ok(first) => Some(first),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let mut batch: Vec<Command> = first.into_iter().collect();
            while !batch.is_empty() && batch.len() < BATCH_MAX {
                let Ok(next) = self.commands.try_recv() else { break };
                batch.push(next);
            }
            self.turn(batch);
        }
    }

    fn turn(&mut self, batch: Vec<Command>) {
        let asked = !batch.is_empty();
        let mut appends = Vec::new();
        let mut finds = Vec::new();
        for command in batch {
            match command {
                Command::Append(filter, answer) => appends.push((filter, answer)),
                Command::Find(id, answer) => finds.push((id, answer)),
            }
        }
        let entries: Vec<Vec<u8>> = appends.iter().map(|(filter, _)| filter.encode()).collect();
        let done = self.with_open(|open| open.append_and_read(&entries));
        match (done, &self.open) {
            (Ok(counted), Some(open)) => {
                for ((_, answer), counted) in appends.into_iter().zip(counted) {
                    // Gone only when the client left.
                    let _ = answer.send(Ok(counted));
                }
                for (id, answer) in finds {
                    let _ = answer.send(Ok(open.find(id)));
                }
            }
            (Err(error), _) => {
                // No client waits for an idle turn, and the next one reports the error.
                if asked {
                    tracing::error!(%error, topic = self.signer.realm, "filters cannot be read");
                }
                let reason = Unavailable::Log(error.to_string().into());
                appends.into_iter().for_each(|(_, answer)| drop(answer.send(Err(reason.clone()))));
                finds.into_iter().for_each(|(_, answer)| drop(answer.send(Err(reason.clone()))));
            }
            (Ok(_), None) => {}
        }
    }

    /// Runs `work` on the topic; when that fails, the topic is opened anew the next time.
    fn with_open<T>(&mut self, work: impl FnOnce(&mut Open) -> Result<T, Error>) -> Result<T, Error> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => Open::new(&self.log, &self.signer)?,
        };
        let done = work(&mut open)?;
        self.open = Some(open);
        Ok(done)
    }
}

impl Open {
    fn new(log: &Backend, signer: &Arc<Signer>) -> Result<Self, Error> {
        let topic = &signer.realm;
        let producer = log.producer(topic)?;
        let mut consumer = log.consumer(topic, 0)?;
        let arrivals = Arrivals::new(now_ms(), Instant::now(), consumer.end()?);
        let (next, gone) = begin(consumer.as_mut(), arrivals.now())?;
        consumer.seek(From::At(next))?;
        let mut open = Self {
            producer,
            consumer,
            next,
            signer: Arc::clone(signer),
            arrivals,
            cursors: Cursors::new(FILTERS_MAX, gone),
            descriptions: Descriptions::default(),
        };
        open.append_and_read(&[])?;
        Ok(open)
    }

    /// Appends entries, reads the topic to its present end, and returns for each entry whether it counts.
    fn append_and_read(&mut self, entries: &[Vec<u8>]) -> Result<Vec<bool>, Error> {
        let appends: Vec<Append<'_>> = entries.iter().map(|payload| Append { key: None, payload }).collect();
        let offsets = self.producer.append(&appends)?;
        let mut counted: BTreeMap<Offset, bool> = offsets.iter().map(|offset| (*offset, false)).collect();
        let end = self.consumer.end()?.max(offsets.last().map_or(Offset(0), |last| Offset(last.0 + 1)));
        let deadline = Instant::now() + READ_WAIT;
        while self.next < end {
            refuse_late(deadline)?;
            for entry in self.consumer.read(READ_BYTES_MAX, Duration::from_millis(100))? {
                self.next = Offset(entry.offset.0 + 1);
                let counts = self.apply(entry.offset, &entry.payload);
                counted.entry(entry.offset).and_modify(|own| *own = counts);
            }
        }
        Ok(offsets.iter().map(|offset| counted.get(offset).copied().unwrap_or_default()).collect())
    }

    fn apply(&mut self, offset: Offset, payload: &[u8]) -> bool {
        match Filter::decode(payload) {
            Ok(Filter::Moved(moved)) => self.cursors.apply(&moved, self.arrivals.of(offset, moved.at_ms)),
            Ok(Filter::Criteria(criteria)) => {
                let (at, live) = (self.arrivals.of(offset, criteria.at_ms), self.arrivals.is_live(offset));
                // What nobody with the key made is no filter.
                if let Some(made) = Description::read(&criteria.criteria, &self.signer) {
                    let kept = Kept { criteria: criteria.criteria, owner: made.owner, at, live };
                    self.descriptions.apply(kept);
                }
                true
            }
            Err(error) => {
                tracing::warn!(%error, "an entry of the filters' topic is passed over");
                false
            }
        }
    }

    fn find(&self, id: Id) -> Option<Found> {
        let now = self.arrivals.now();
        let kept = self.descriptions.of(id)?;
        let (again, described) = (kept.wants_again(now), kept.at);
        let filter = Description::read(&kept.criteria, &self.signer)?;
        let made = Made { filter: id, start: filter.start, created: filter.created, described };
        let stand = self.cursors.of(&made, now)?;
        Some(Found { id, filter, stand, again: again.then_some(kept.criteria) })
    }
}

/// First offset to read, and the newest creation time of filters of which the entries from there say too little.
///
/// Steps back from the end until the entry there is old enough, or the oldest that is retained.
fn begin(consumer: &mut dyn LogConsumer, now: Ms) -> Result<(Offset, Ms), Error> {
    let (earliest, end) = (consumer.earliest()?, consumer.end()?);
    let mut back = STEP_BACK;
    loop {
        let at = Offset(end.0.saturating_sub(back)).max(earliest);
        let Some(seen) = time_at(consumer, at)? else { return Ok((at, 0)) };
        if now.saturating_sub(seen) >= millis(WINDOW) {
            return Ok((at, 0));
        }
        if at == earliest {
            // A topic that never lost an entry says all; of another one, what came before is unknown.
            return Ok((at, if earliest == Offset(0) { 0 } else { seen.min(now) }));
        }
        back = back.saturating_mul(2);
    }
}

/// Time of the first entry at or after `at`, if there is one.
fn time_at(consumer: &mut dyn LogConsumer, at: Offset) -> Result<Option<Ms>, Error> {
    consumer.seek(From::At(at))?;
    let end = consumer.end()?;
    let deadline = Instant::now() + READ_WAIT;
    let mut next = at;
    while next < end {
        refuse_late(deadline)?;
        for entry in consumer.read(1, Duration::from_millis(100))? {
            next = Offset(entry.offset.0 + 1);
            match Filter::decode(&entry.payload) {
                Ok(Filter::Moved(moved)) => return Ok(Some(moved.at_ms)),
                Ok(Filter::Criteria(criteria)) => return Ok(Some(criteria.at_ms)),
                Err(_) => {}
            }
        }
    }
    Ok(None)
}

fn refuse_late(deadline: Instant) -> Result<(), Error> {
    if Instant::now() <= deadline {
        return Ok(());
    }
    let waited_ms = millis(READ_WAIT);
    Err(Error::Timeout { what: "reading the filters' topic".to_owned(), waited_ms })
}
