//! The daemon: a probe for each target, one hub, and listeners that tell what it knows.

use crate::agent;
use crate::allow::Allow;
use crate::board::Board;
use crate::config::{Settings, readable};
use crate::control::Desk;
use crate::cordons::{Cordons, FILE};
use crate::dns;
use crate::http::{self, Source};
use crate::hub::Hub;
use crate::incidents::Record;
use crate::listen;
use crate::metrics::Gauges;
use crate::probe::Probe;
use crate::unwritten::Unwritten;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use maidenlane_config::shapes;
use maidenlane_jsonrpc::{WriteTimeout, control};
use maidenlane_service::{Context, Failure, Shutdown, clock};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// Observations that may wait for the hub.
const NEWS_MAX: usize = 256;
/// Commands that may wait for it.
const COMMANDS_MAX: usize = 8;
/// Clients of the HTTP listener at one time.
const CLIENTS_MAX: usize = 512;
/// Time that a client of the HTTP listener has for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Time over which a client of the HTTP listener must take its answer at the least rate.
const TAKEN_WITHIN: Duration = Duration::from_secs(10);

/// Interval at which cordons are written again.
const WRITE_EVERY: Duration = Duration::from_secs(30);

/// Serves HTTP/1.1 until the shutdown.
///
/// # Errors
/// None: what fails is one connection.
pub async fn serve_http(
    listener: TcpListener,
    router: axum::Router,
    allow: Allow,
    shutdown: Shutdown,
) -> Result<(), Failure> {
    let service = TowerToHyperService::new(router);
    let mut protocol = http1::Builder::new();
    protocol.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    let answer = move |stream| {
        let stream = WriteTimeout::new(stream, TAKEN_WITHIN);
        protocol.serve_connection(TokioIo::new(stream), service.clone())
    };
    listen::serve(listener, (allow, CLIENTS_MAX), shutdown, answer).await
}

/// Writes cordons again and again: those that the disk did not take, and those that it has, so that a disk which takes nothing
/// shows before an operator needs it.
async fn write_again(
    cordons: Arc<tokio::sync::Mutex<Cordons>>,
    unwritten: Unwritten,
    shutdown: Shutdown,
) -> Result<(), Failure> {
    while shutdown.unless(tokio::time::sleep(WRITE_EVERY)).await.is_some() {
        let cordons = Arc::clone(&cordons).lock_owned().await;
        let writing = tokio::task::spawn_blocking(move || cordons.write());
        if let Some(Ok(written)) = shutdown.unless(writing).await {
            unwritten.note(FILE, written);
        }
    }
    Ok(())
}

/// Health daemon.
#[derive(Debug)]
pub struct Daemon;

impl maidenlane_service::Daemon for Daemon {
    const NAME: &'static str = "health";
    const ABOUT: &'static str =
        "Tells load balancers, Prometheus and people which node is fit to serve, and why not";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    /// All that it does is short, and waking a second thread costs more.
    const WORKERS: Option<usize> = Some(1);
    type Settings = Settings;

    fn shared(settings: &Settings) -> &shapes::Daemon {
        &settings.daemon
    }

    async fn run(context: Context<Settings>) -> Result<(), Failure> {
        let Context { settings, tasks, health, metrics, addresses } = context;
        let (settings, shutdown) = (settings.get(), tasks.shutdown().clone());
        let dir = &settings.daemon.state_dir;
        readable(&settings)?;
        let cordons = Cordons::open(dir)?;
        let (record, notes, history) =
            Record::open(dir, clock::now_ms()).map_err(|error| Failure::file("incidents", &error))?;
        let board = Board::new(settings.plan());
        let hub = Hub::new(board, &cordons, notes, Gauges::new(&metrics), health);
        let views = hub.views();

        // Before any probe: a balancer that asks now learns that everything is starting.
        let agents = listen::bind("agent", settings.agent, &addresses).await?;
        let pages = listen::bind("http", settings.http, &addresses).await?;
        let answers = views.clone();
        let answer = move |stream| agent::converse(stream, answers.clone());
        let most = (settings.allow.clone(), agent::CLIENTS_MAX);
        tasks.spawn("agent", listen::serve(agents, most, shutdown.clone(), answer));
        let source = Source::new(views.clone(), history.clone(), shutdown.clone());
        let allow = settings.allow.clone();
        tasks.spawn("http", serve_http(pages, http::router(source), allow, shutdown.clone()));
        if let Some(dns) = &settings.dns {
            dns::start(dns, &views, &settings.allow, &addresses, &tasks).await?;
        }

        let (news, observed) = mpsc::channel(NEWS_MAX);
        let (commands, obeyed) = mpsc::channel(COMMANDS_MAX);
        let cordons = Arc::new(tokio::sync::Mutex::new(cordons));
        let unwritten = hub.unwritten();
        let record = record.telling(unwritten.clone());
        tasks.spawn("cordons", write_again(Arc::clone(&cordons), unwritten.clone(), shutdown.clone()));
        let desk = Desk { views: views.clone(), record: history, cordons, unwritten, commands };
        control::start(dir, &addresses, &tasks, move |question| desk.clone().answer(question))?;
        tasks.spawn_thread("incidents", move || {
            record.run();
            Ok(())
        })?;
        tasks.spawn("hub", hub.run(observed, obeyed, shutdown.clone()));
        for (index, target) in settings.targets.iter().enumerate() {
            let Some(group) = settings.groups.get(target.target.group) else { continue };
            let times = (group.interval, group.timeout);
            let probe = Probe::new(index, target, times, &settings.accounts, &tasks)?;
            let name = format!("probe {}", target.target.name);
            tasks.spawn(&name, probe.run(news.clone(), views.latest.clone(), shutdown.clone()));
        }
        Ok(())
    }
}
