//! Lifecycle of every daemon: args, settings, telemetry, runtimes, `run`, exit code.
//!
//! There are two runtimes. A daemon's work runs on the IO threads, one for each core. Signals, the admin listener, the
//! drain and the watch over the IO threads run on the main thread, so no work can hold them.

use crate::addresses::Addresses;
use crate::admin::{self, Metrics};
use crate::disk;
use crate::files;
use crate::io;
use crate::reload::Reload;
use crate::telemetry::{self, Filter};
use crate::{Current, Exit, Failure, Health, Shutdown, TaskGroup};
use clap::Parser;
use maidenlane_config::{Checker, Loaded, Settings, shapes};
use std::fs::File;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tokio::runtime::{Builder, Handle};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Time that tasks get to finish after a stop was requested.
const DRAIN: Duration = Duration::from_secs(30);
/// Time that a start that is still going on gets then; both together are below the units' `TimeoutStopSec`.
const START_END: Duration = Duration::from_secs(10);

/// A daemon: a name, its settings, and one function.
pub trait Daemon: 'static {
    /// Short name: `tap` for the binary `maidenlane-tap`.
    const NAME: &'static str;
    /// One line for `--help`: what the daemon does.
    const ABOUT: &'static str;
    /// Version for `--version`.
    const VERSION: &'static str;
    /// Threads for tasks; `None` for one on each core.
    const WORKERS: Option<usize> = None;
    /// Validated settings.
    type Settings: Settings + Send + Sync + 'static;

    /// Settings that the lifecycle needs.
    fn shared(settings: &Self::Settings) -> &shapes::Daemon;

    /// Starts every task in `context.tasks` and returns; the lifecycle then waits for their end.
    ///
    /// # Errors
    /// The failure that keeps the daemon from starting.
    fn run(context: Context<Self::Settings>) -> impl Future<Output = Result<(), Failure>> + Send + 'static;
}

/// Context that a daemon runs with.
#[derive(Debug)]
pub struct Context<S> {
    /// Validated settings, as they are now.
    pub settings: Current<S>,
    /// Owner of all tasks; holds the shutdown.
    pub tasks: TaskGroup,
    /// Health, which reports fitness and the reason.
    pub health: Health,
    /// Registry of metrics.
    pub metrics: Metrics,
    /// Publisher of bound addresses.
    pub addresses: Addresses,
}

#[derive(Parser)]
struct Args {
    /// Settings in Dhall; `/etc/maidenlane/<daemon>/<instance>.dhall` in production.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Check the settings, and what of this machine they name; say what is wrong, and exit.
    #[arg(long)]
    check_config: bool,
}

/// Runs a daemon: the whole of its `main`.
#[must_use]
pub fn main<D: Daemon>() -> ExitCode {
    let command = <Args as clap::CommandFactory>::command().name(D::NAME).about(D::ABOUT);
    let command = command.bin_name(format!("maidenlane-{}", D::NAME)).version(D::VERSION);
    let args = match command.try_get_matches() {
        Ok(matches) => match <Args as clap::FromArgMatches>::from_arg_matches(&matches) {
            Ok(args) => args,
            Err(error) => return usage(&error),
        },
        Err(error) => return usage(&error),
    };
    match start::<D>(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // A filter may let nothing of this process through, and it must not end without a word.
            if tracing::dispatcher::has_been_set() && tracing::enabled!(tracing::Level::ERROR) {
                tracing::error!("{failure}");
            } else {
                telemetry::refuse(&format!("maidenlane-{}: {failure}", D::NAME));
            }
            failure.exit.into()
        }
    }
}

fn usage(error: &clap::Error) -> ExitCode {
    // Nothing can be done about a closed stderr.
    let _ = error.print();
    if error.use_stderr() { Exit::Settings.into() } else { ExitCode::SUCCESS }
}

fn start<D: Daemon>(args: &Args) -> Result<(), Failure> {
    let load = || {
        let loaded = maidenlane_config::load::<D::Settings>(&args.config);
        loaded.map_err(|error| Failure::new(Exit::Settings, error))
    };
    if args.check_config {
        let loaded = load()?;
        for doubt in &loaded.doubts {
            telemetry::refuse(&format!("maidenlane-{}: warning: {doubt}", D::NAME));
        }
        return fits::<D>(&args.config, &loaded.settings);
    }
    let build = |mut builder: Builder| {
        builder.enable_all().build().map_err(|error| Failure::new(Exit::TaskDied, error))
    };
    let control = build(Builder::new_current_thread())?;
    let signals = control.block_on(async { Signals::listen() })?;
    let loaded = load()?;
    let shared = D::shared(&loaded.settings);
    let filter = telemetry::init(&shared.log_filter, shared.log_json)?;
    for doubt in &loaded.doubts {
        tracing::warn!("settings: {doubt}");
    }
    fits::<D>(&args.config, &loaded.settings)?;
    std::fs::create_dir_all(&shared.state_dir).map_err(|error| {
        Failure::file(format_args!("create stateDir {}", shared.state_dir.display()), &error)
    })?;
    let _owned = own(&shared.state_dir)?;
    let mut io = Builder::new_multi_thread();
    if let Some(threads) = D::WORKERS {
        io.worker_threads(threads);
    }
    let io = build(io)?;
    let supervised = supervise::<D>(args.config.clone(), loaded, (filter, signals), io.handle().clone());
    let result = control.block_on(Box::pin(supervised));
    // Work that ignores the shutdown must not hold the process.
    io.shutdown_timeout(Duration::from_secs(1));
    control.shutdown_timeout(Duration::from_secs(1));
    result
}

/// Checks that this machine is as the settings have it.
fn fits<D: Daemon>(file: &Path, settings: &D::Settings) -> Result<(), Failure> {
    let mut checker = Checker::default();
    D::shared(settings).on_machine(&mut checker);
    settings.on_machine(&mut checker);
    match checker.finish().0 {
        problems if problems.is_empty() => Ok(()),
        problems => {
            Err(Failure::new(Exit::Settings, maidenlane_config::Error { file: file.to_owned(), problems }))
        }
    }
}

/// Makes a state directory this process's own, while what is returned lives: a second one would take its files away. A disk that
/// refuses the lock is met by whoever needs it.
fn own(state_dir: &Path) -> Result<Option<File>, Failure> {
    match files::lock(&state_dir.join("lock")) {
        Ok(Some(lock)) => Ok(Some(lock)),
        Ok(None) => Err(Failure::new(
            Exit::Settings,
            format!("another process runs on stateDir {}: stop it, or set another one", state_dir.display()),
        )),
        Err(error) => {
            tracing::warn!("lock stateDir {}: {error}", state_dir.display());
            Ok(None)
        }
    }
}

async fn supervise<D: Daemon>(
    file: PathBuf,
    loaded: Loaded<D::Settings>,
    (filter, signals): (Filter, Signals),
    io: Handle,
) -> Result<(), Failure> {
    let shutdown = Shutdown::new();
    let (tasks, supervisor) = TaskGroup::new(shutdown.clone());
    let (health, metrics) = (Health::new(), Metrics::new(D::NAME));
    let shared = D::shared(&loaded.settings).clone();
    let settings = Current::from(loaded.settings);
    let addresses = Addresses::new(&shared.state_dir, health.clone());
    let reload =
        Reload::new(file, D::shared, loaded.version, settings.clone(), filter, health.clone(), &metrics);
    signals.handle(&tasks, &health, reload);
    let listener = tokio::net::TcpListener::bind(shared.admin)
        .await
        .map_err(|error| Failure::new(Exit::Settings, format!("admin.listen {}: {error}", shared.admin)))?;
    if let Ok(address) = listener.local_addr() {
        addresses.add("admin", address)?;
    }
    tasks.spawn("addresses", addresses.clone().write_later(shutdown.clone()));
    tasks.spawn("admin", admin::serve(listener, health.clone(), metrics.clone(), shutdown.clone()));
    tasks.spawn("disk", disk::watch(shared.state_dir.clone(), health.clone(), shutdown.clone()));
    tasks.spawn("io watch", io::watch(io.clone(), health.clone(), shutdown.clone()));
    let tasks = tasks.on(io.clone());
    let context = Context { settings, tasks, health, metrics, addresses: addresses.clone() };
    let started = tokio::select! {
        started = io.spawn(D::run(context)) => {
            Some(started.unwrap_or_else(|panic| Err(Failure::new(Exit::TaskDied, panic))))
        }
        () = overdue(&shutdown) => None,
    };
    if !matches!(started, Some(Ok(()))) {
        shutdown.trigger();
    }
    let ended = supervisor.join(DRAIN).await;
    addresses.remove();
    let overdue = || Failure::new(Exit::TaskDied, "the start did not end at the stop");
    match started {
        Some(started) => started.and(ended),
        None => ended.and_then(|()| Err(overdue())),
    }
}

/// Waits for the shutdown and a time after it: a stop during a long start must not wait for its end for ever.
async fn overdue(shutdown: &Shutdown) {
    shutdown.triggered().await;
    tokio::time::sleep(START_END).await;
}

/// Signals of the daemon, listened to from before its settings are read, which takes a second: until then each would end it
/// without a word.
struct Signals {
    term: Signal,
    int: Signal,
    hup: Signal,
}

impl Signals {
    fn listen() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(|error| Failure::new(Exit::TaskDied, error));
        let (term, int, hup) = (SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup());
        Ok(Self { term: listen(term)?, int: listen(int)?, hup: listen(hup)? })
    }

    /// Handles them: SIGTERM and SIGINT stop the daemon, SIGHUP reloads its settings.
    fn handle<S: Settings + Send + Sync + 'static>(
        mut self,
        tasks: &TaskGroup,
        health: &Health,
        mut reload: Reload<S>,
    ) {
        let (shutdown, health) = (tasks.shutdown().clone(), health.clone());
        tasks.spawn("signals", async move {
            loop {
                tokio::select! {
                    _ = self.term.recv() => break tracing::info!("SIGTERM: stopping"),
                    _ = self.int.recv() => break tracing::info!("SIGINT: stopping"),
                    () = shutdown.triggered() => break,
                    _ = self.hup.recv() => reload = reloaded(reload, &health).await?,
                }
            }
            health.stop();
            shutdown.trigger();
            Ok(())
        });
    }
}

/// Runs one reload, beside the daemon's work: evaluating settings takes a while.
async fn reloaded<S: Settings + Send + Sync + 'static>(
    mut reload: Reload<S>,
    health: &Health,
) -> Result<Reload<S>, Failure> {
    let notified = health.reloading();
    let work = tokio::task::spawn_blocking(move || {
        reload.now();
        reload
    });
    let reload = work.await.map_err(|error| Failure::new(Exit::TaskDied, error))?;
    if notified {
        health.reloaded();
    }
    Ok(reload)
}
