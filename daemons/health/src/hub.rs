//! The hub: the one loop that owns the board. Observations and commands come in, one view goes out to all. It waits for no disk:
//! whoever takes the watch away from all targets for as long as a disk stands still would be the worst of all faults.

use crate::board::{Board, Change};
use crate::cordons::Cordons;
use crate::foreign;
use crate::history::ALIVE_EVERY;
use crate::incidents::{Note, Notes};
use crate::metrics::Gauges;
use crate::observe::Now;
use crate::probe::News;
use crate::unwritten::Unwritten;
use crate::verdict::Verdict;
use crate::view::{Cordon, View, Warning};
use maidenlane_service::{Failure, Health, Shutdown, clock};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;

/// Interval at which views are made although no verdict changed, and the record is signed.
const EVERY: Duration = Duration::from_millis(200);

/// Interval at which metrics are set: nobody reads them more often.
const MEASURE_EVERY: Duration = Duration::from_secs(1);

/// Command of an operator, which is on disk already.
#[derive(Debug)]
pub struct Command {
    /// Name of the target.
    pub target: String,
    /// The cordon; `None` takes it away.
    pub cordon: Option<Cordon>,
    /// Told once views have it.
    pub reply: oneshot::Sender<()>,
}

/// The hub.
#[derive(Debug)]
pub struct Hub {
    board: Board,
    notes: Notes,
    /// Moment of the last sign of life in the record.
    signed: Option<Instant>,
    view: watch::Sender<Arc<View>>,
    gauges: Gauges,
    health: Health,
    began: Instant,
    /// Verdicts of the sources, as they were told.
    sources: BTreeMap<String, Verdict>,
    stale: bool,
    /// Moment at which metrics were set.
    measured: Instant,
    unwritten: Unwritten,
    /// Warnings of files that the disk does not take, as they were told.
    unwritten_told: Vec<Warning>,
}

impl Hub {
    /// A hub before its first observation. Cordons of the last run are back.
    #[must_use]
    pub fn new(mut board: Board, cordons: &Cordons, notes: Notes, gauges: Gauges, health: Health) -> Self {
        for (name, cordon) in cordons.all() {
            match board.index(name) {
                Some(index) => drop(board.cordon(index, Some(cordon.clone()), Now::default())),
                None => tracing::warn!("the settings have no target {name}, which is cordoned"),
            }
        }
        let view =
            watch::Sender::new(Arc::new(board.view(Now { at: Duration::ZERO, wall_ms: clock::now_ms() })));
        let (began, sources) = (Instant::now(), BTreeMap::new());
        Self {
            board,
            notes,
            signed: None,
            view,
            gauges,
            health,
            began,
            sources,
            stale: false,
            measured: began,
            unwritten: Unwritten::default(),
            unwritten_told: Vec::new(),
        }
    }

    /// Place for files that the disk does not take; views warn of them.
    #[must_use]
    pub fn unwritten(&self) -> Unwritten {
        self.unwritten.clone()
    }

    /// Receiver of views.
    #[must_use]
    pub fn views(&self) -> Views {
        Views { latest: self.view.subscribe(), began: self.began }
    }

    /// Works until the shutdown.
    ///
    /// # Errors
    /// None: all that may fail here is told and survived.
    pub async fn run(
        mut self,
        mut news: mpsc::Receiver<News>,
        mut commands: mpsc::Receiver<Command>,
        shutdown: Shutdown,
    ) -> Result<(), Failure> {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.triggered() => {
                    self.sign();
                    return Ok(());
                }
                Some((index, observation)) = news.recv() => {
                    self.sign_in_time();
                    let changes = self.board.observe(index, foreign::tamed(observation), self.now());
                    self.stale = true;
                    self.tell(&changes);
                }
                Some(command) = commands.recv() => self.obey(command),
                _ = ticks.tick() => self.show(),
            }
        }
    }

    fn now(&self) -> Now {
        Now { at: self.began.elapsed(), wall_ms: clock::now_ms() }
    }

    /// Takes a command.
    fn obey(&mut self, command: Command) {
        let Command { target, cordon, reply } = command;
        if let Some(index) = self.board.index(&target) {
            let changes = self.board.cordon(index, cordon, self.now());
            self.stale = true;
            self.tell(&changes);
            self.show();
        }
        // A client that has gone has its cordon all the same.
        let _ = reply.send(());
    }

    /// Tells changes of verdicts at once.
    fn tell(&mut self, changes: &[Change]) {
        if changes.is_empty() {
            return;
        }
        self.show();
        let view = Arc::clone(&self.view.borrow());
        let at_ms = view.now.wall_ms;
        for change in changes {
            let Some(target) = view.targets.get(change.target) else { continue };
            let why: Vec<String> = change.why.iter().map(ToString::to_string).collect();
            let why = why.join("; ");
            let after = change.from.map(|from| format!(", after {from}")).unwrap_or_default();
            match change.to {
                Verdict::Healthy => tracing::info!("{} is healthy{after}", target.name),
                to => tracing::warn!("{} is {to}{after}: {why}", target.name),
            }
            self.gauges.changed(&target.name, change.to);
            self.notes.put(Note::Verdict { at_ms, subject: target.name.clone(), to: change.to, why });
        }
        for (source, verdict) in sources(&view) {
            if self.sources.insert(source.clone(), verdict) != Some(verdict) {
                let subject = format!("source:{source}");
                self.notes.put(Note::Verdict { at_ms, subject, to: verdict, why: String::new() });
            }
        }
    }

    /// Notes in the record that somebody watches, where that is due: before anything that is seen now, for a process that stood
    /// still saw nothing of what came between.
    fn sign_in_time(&mut self) {
        if self.signed.is_none_or(|signed| signed.elapsed() >= ALIVE_EVERY) {
            self.sign();
        }
    }

    /// Notes in the record that somebody watches, up to now.
    fn sign(&mut self) {
        self.signed = Some(Instant::now());
        self.notes.put(Note::Watched(self.board.unix_ms(self.now())));
    }

    /// Makes a new view, if anything came since.
    fn show(&mut self) {
        self.health.progress();
        self.sign_in_time();
        let unwritten = self.unwritten.warnings();
        let told = std::mem::replace(&mut self.unwritten_told, unwritten) == self.unwritten_told;
        if !std::mem::take(&mut self.stale) && told {
            return;
        }
        let mut view = self.board.view(self.now());
        view.warnings.extend(self.unwritten_told.iter().cloned());
        let view = Arc::new(view);
        if self.measured.elapsed() >= MEASURE_EVERY {
            self.measured = Instant::now();
            self.gauges.show(&view);
        }
        self.health.set_status_line(&view.line());
        self.health.set_section("targets", crate::words::summary(&view));
        // What the targets are like is no word on this daemon's own fitness: it is fit once it has looked at all of them.
        if view.is_whole() {
            self.health.set_ready();
        }
        self.view.send_replace(view);
    }
}

/// Views, for all who answer.
#[derive(Clone, Debug)]
pub struct Views {
    /// The latest.
    pub latest: watch::Receiver<Arc<View>>,
    began: Instant,
}

impl Views {
    /// View at hand.
    #[must_use]
    pub fn now(&self) -> Arc<View> {
        Arc::clone(&self.latest.borrow())
    }

    /// Time since the start, as views have it.
    #[must_use]
    pub fn at(&self) -> Duration {
        self.began.elapsed()
    }
}

/// Best verdict of each source: a client that has lost one of its targets goes to another.
fn sources(view: &View) -> BTreeMap<String, Verdict> {
    let mut best = BTreeMap::new();
    for target in &view.targets {
        // Whoever is starting says nothing of its source yet.
        let (Some(source), false) = (&target.source, target.is_starting()) else { continue };
        best.entry(source.clone())
            .and_modify(|verdict: &mut Verdict| *verdict = target.verdict.min(*verdict))
            .or_insert(target.verdict);
    }
    best
}
