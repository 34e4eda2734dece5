//! Loop of a daemon that replays a feed, for a thread of its own: follows, begins again where the log was cut or is
//! silent, and hands the heads over once they are fresh.

use crate::behind::{Behind, Past};
use crate::error::Error;
use crate::events::Event;
use crate::follow::Follower;
use crate::heads::HeadTracker;
use crate::liveness::{Liveness, missing};
use crate::metrics::Gauges;
use crate::open::{Followers, may_pass};
use crate::report::Report;
use crate::{Fresh, Live as _};
use maidenlane_service::{Current, Health, Metrics, Shutdown, tracer};
use maidenlane_store::Store;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

pub use crate::open::Settings;

/// Timeout of a wait for records, and so for a shutdown.
const WAIT: Duration = Duration::from_millis(100);
/// Interval of attempts to reach a log that is away.
const TRY_AGAIN: Duration = Duration::from_millis(250);
/// Interval of attempts to open a database that the disk refuses to write to.
const OPEN_AGAIN: Duration = Duration::from_secs(1);
/// Bytes that a disk must take before a database is opened on it again.
const PROBE_BYTES: usize = 1 << 20;

/// Loop of a daemon that replays a feed.
pub struct Loop {
    settings: Settings,
    fresh: Current<Fresh>,
    shutdown: Shutdown,
    report: Report,
    health: Health,
    behind: Behind,
    store: Arc<OnceLock<Arc<Store>>>,
    /// Sender of the heads, until they are handed over.
    first: Option<oneshot::Sender<Arc<HeadTracker>>>,
}

impl std::fmt::Debug for Loop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loop").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// True if the disk takes a file that is worth an attempt to open a database.
fn takes_writes(dir: &Path) -> bool {
    let path = dir.join("probe");
    let written = File::create(&path).and_then(|mut file| {
        file.write_all(&vec![1; PROBE_BYTES])?;
        file.sync_all()
    });
    drop(std::fs::remove_file(&path));
    written.is_ok()
}

impl Loop {
    /// Loop that reports under `section` in `/status`, and a receiver of the heads once they are fresh. The sender is
    /// dropped when the loop ends before.
    pub fn new(
        section: &'static str,
        settings: Settings,
        fresh: Current<Fresh>,
        health: Health,
        metrics: &Metrics,
        shutdown: Shutdown,
    ) -> (Self, oneshot::Receiver<Arc<HeadTracker>>) {
        let (first, heads) = oneshot::channel();
        let report = Report::new(section, health.clone(), Gauges::new(metrics), tracer::logging());
        let behind = Behind::default();
        (
            Self {
                settings,
                fresh,
                shutdown,
                report,
                health,
                behind,
                store: Arc::default(),
                first: Some(first),
            },
            heads,
        )
    }

    /// The same loop, which also takes blocks from before the database's beginning.
    #[must_use]
    pub fn with_past(mut self, past: Past) -> Self {
        self.report.expect_past(past.from);
        self.behind.past = Some(past.pieces);
        self
    }

    /// Cell with the database, once it is open.
    #[must_use]
    pub fn store(&self) -> Arc<OnceLock<Arc<Store>>> {
        Arc::clone(&self.store)
    }

    /// Follows until the shutdown.
    ///
    /// # Errors
    /// When store or feed need a person, or the log is away for too long.
    pub fn run(mut self) -> Result<(), Error> {
        self.report.not_yet("bootstrapping");
        let Some(followers) = self.followers()? else { return Ok(()) };
        let Some(mut follower) = self.opened(&followers, None)? else { return Ok(()) };
        followers.events.emit(&Event::Opened { head: follower.facts().head });
        let mut heads = None::<Arc<HeadTracker>>;
        // The position that was reached last, and since when; or the last look with a new client.
        let (mut position, mut looked) = (follower.facts().position, Instant::now());
        while !self.shutdown.is_triggered() {
            followers.store.sound()?;
            let may_work = heads.as_ref().is_some_and(|heads| heads.fitness().stale.is_none());
            let showable = match self.behind.turn(&followers.store, &mut follower, may_work, WAIT) {
                Ok(showable) => showable,
                Err(Error::Log(source)) if may_pass(&source) => {
                    self.wait_for_log(source, heads.as_deref())?;
                    continue;
                }
                Err(Error::Store(source)) if source.is_disk() => {
                    return self.outlast(source, heads.as_deref());
                }
                Err(error) if error.may_be_cut() => {
                    match self.elsewhere(&follower, error, &followers, heads.as_deref())? {
                        Some(next) => {
                            follower = next;
                            continue;
                        }
                        None => break,
                    }
                }
                Err(error) => return Err(error),
            };
            self.report.log_is_back(heads.as_deref());
            match &heads {
                Some(heads) if showable => follower.show(heads)?,
                Some(_) => {}
                None => heads = self.first_head(&mut follower, &followers)?,
            }
            self.report.turn(&mut follower, heads.as_deref());
            if follower.facts().position != position {
                (position, looked) = (follower.facts().position, Instant::now());
            }
            let silence_max = self.fresh.get().silence_max;
            if followers.liveness.silent().min(looked.elapsed()) > silence_max {
                looked = Instant::now();
                let Some(next) = self.anew(follower, &followers, heads.as_deref())? else { break };
                follower = next;
            }
        }
        followers.store.sync()?;
        Ok(())
    }

    /// Opens the database; waits while the disk refuses that. `None` at a shutdown.
    fn followers(&mut self) -> Result<Option<Followers>, Error> {
        let settings = self.settings.clone();
        let cache = usize::try_from(settings.store_cache_bytes).unwrap_or(usize::MAX);
        while !self.shutdown.is_triggered() {
            match Store::open(&crate::store_path(&settings.state_dir), cache) {
                Ok(store) => {
                    self.report.disk_is_back();
                    let (store, liveness) = (Arc::new(store), Arc::new(Liveness::default()));
                    let store = Arc::clone(self.store.get_or_init(|| store));
                    let (events, health) = (tracer::logging(), self.health.clone());
                    return Ok(Some(Followers { settings, store, liveness, events, health }));
                }
                Err(refused) if refused.is_disk() && self.report.disk_refuses(&refused, None) => {
                    std::thread::sleep(OPEN_AGAIN);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    /// Serves what is written until the disk takes writes again. Then only a database that is opened anew does, so the
    /// end is due, as it is when that takes too long.
    fn outlast(
        &mut self,
        refused: maidenlane_store::Error,
        heads: Option<&HeadTracker>,
    ) -> Result<(), Error> {
        while !self.shutdown.is_triggered() {
            if !self.report.disk_refuses(&refused, heads) || takes_writes(&self.settings.state_dir) {
                return Err(refused.into());
            }
            std::thread::sleep(TRY_AGAIN);
        }
        Ok(())
    }

    /// Opens the log; waits while it is away. `None` at a shutdown.
    fn opened(
        &mut self,
        followers: &Followers,
        heads: Option<&HeadTracker>,
    ) -> Result<Option<Follower>, Error> {
        while !self.shutdown.is_triggered() {
            match followers.checked() {
                Ok(follower) => {
                    self.report.log_is_back(heads);
                    return Ok(Some(follower));
                }
                Err(Error::Log(source)) if source.may_come() || heads.is_some() && may_pass(&source) => {
                    self.wait_for_log(source, heads)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Goes on from where our head is found after a record that did not fit: it may be new in its place, because the
    /// log was cut. Returns `error` if nothing has changed there, `None` at a shutdown.
    fn elsewhere(
        &mut self,
        follower: &Follower,
        error: Error,
        followers: &Followers,
        heads: Option<&HeadTracker>,
    ) -> Result<Option<Follower>, Error> {
        let next = self.opened(followers, heads)?;
        let beyond = matches!(error, Error::Log(maidenlane_log::Error::BeyondEnd { .. }));
        match &next {
            Some(next) if !beyond && next.facts().position == follower.facts().position => Err(error),
            _ => Ok(next),
        }
    }

    /// Silence without progress may be ours: a client that does not notice that its broker came back with an older log,
    /// or records of a log written anew with an epoch that we know, of a writer that we do not. Looks with a new client
    /// where our head is, and shows where that is. `None` at a shutdown.
    fn anew(
        &mut self,
        old: Follower,
        followers: &Followers,
        heads: Option<&HeadTracker>,
    ) -> Result<Option<Follower>, Error> {
        let mut next = match followers.quickly()? {
            Some(next) => next,
            // It went back in the store before the log failed: the old follower would write what is no more.
            None if followers.store.facts().position != old.facts().position => {
                let Some(next) = self.opened(followers, heads)? else { return Ok(None) };
                next
            }
            None => return Ok(Some(old)),
        };
        if let Some(heads) = heads {
            next.show(heads)?;
        }
        Ok(Some(next))
    }

    fn wait_for_log(
        &mut self,
        source: maidenlane_log::Error,
        heads: Option<&HeadTracker>,
    ) -> Result<(), Error> {
        self.report.log_away(source, heads)?;
        std::thread::sleep(TRY_AGAIN);
        Ok(())
    }

    /// Hands the heads over once they are fresh for the first time.
    fn first_head(
        &mut self,
        follower: &mut Follower,
        followers: &Followers,
    ) -> Result<Option<Arc<HeadTracker>>, Error> {
        let liveness = &followers.liveness;
        if let Some(block) = liveness.missing() {
            self.report.not_yet(format!("recovering: {}", missing(block)));
            return Ok(None);
        }
        if !liveness.any() || liveness.silent() > self.fresh.get().silence_max {
            self.report.not_yet("bootstrapping: the feed has no sign of life yet");
            return Ok(None);
        }
        let Some(shown) = follower.shown()? else { return Ok(None) };
        let heads = Arc::new(HeadTracker::new(shown, Arc::clone(liveness), self.fresh.clone()));
        if let Some(reason) = heads.fitness().stale {
            self.report.not_yet(format!("recovering: {reason}"));
            return Ok(None);
        }
        if let Some(first) = self.first.take() {
            // Gone only when the daemon is stopping.
            let _ = first.send(Arc::clone(&heads));
        }
        followers.events.emit(&Event::Following);
        Ok(Some(heads))
    }
}
