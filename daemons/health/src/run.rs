//! The daemon: a probe for each target, one hub, and listeners that tell what it knows.

use crate::agent;
use crate::allow::Allow;
use crate::board::Board;
use crate::config::Settings;
use crate::control::Desk;
use crate::cordons::Cordons;
use crate::http::{self, Source};
use crate::hub::Hub;
use crate::incidents::Record;
use crate::listen;
use crate::metrics::Gauges;
use crate::probe::Probe;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use maidenlane_config::shapes;
use maidenlane_jsonrpc::control;
use maidenlane_service::{Context, Failure, Shutdown, clock};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// Observations that may wait for the hub.
const NEWS_MAX: usize = 256;
/// Commands that may wait for it.
const COMMANDS_MAX: usize = 8;
/// Time that a client of the HTTP listener has for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

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
    let answer = move |stream| protocol.serve_connection(TokioIo::new(stream), service.clone());
    listen::serve(listener, allow, shutdown, answer).await
}

/// Health daemon.
#[derive(Debug)]
pub struct Daemon;

impl maidenlane_service::Daemon for Daemon {
    const NAME: &'static str = "health";
    const ABOUT: &'static str =
        "Tells load balancers, Prometheus and people which node is fit to serve, and why not";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Settings = Settings;

    fn shared(settings: &Settings) -> &shapes::Daemon {
        &settings.daemon
    }

    async fn run(context: Context<Settings>) -> Result<(), Failure> {
        let Context { settings, tasks, health, metrics, addresses } = context;
        let (settings, shutdown) = (settings.get(), tasks.shutdown().clone());
        let dir = &settings.daemon.state_dir;
        let cordons = Cordons::open(dir).map_err(|error| Failure::file("cordons", &error))?;
        let record =
            Record::open(dir, clock::now_ms()).map_err(|error| Failure::file("incidents", &error))?;
        let record = Arc::new(Mutex::new(record));
        let board = Board::new(settings.plan());
        let hub = Hub::new(board, cordons, Arc::clone(&record), Gauges::new(&metrics), health);
        let view = hub.views();

        // Before any probe: a balancer that asks now learns that everything is starting.
        let agents = listen::bind("agent", settings.agent, &addresses).await?;
        let pages = listen::bind("http", settings.http, &addresses).await?;
        let views = view.clone();
        let answer = move |stream| agent::converse(stream, views.clone());
        tasks.spawn("agent", listen::serve(agents, settings.allow.clone(), shutdown.clone(), answer));
        let source = Source { view: view.clone(), record: Arc::clone(&record), shutdown: shutdown.clone() };
        let allow = settings.allow.clone();
        tasks.spawn("http", serve_http(pages, http::router(source), allow, shutdown.clone()));

        let (news, observed) = mpsc::channel(NEWS_MAX);
        let (commands, obeyed) = mpsc::channel(COMMANDS_MAX);
        let desk = Desk { view: view.clone(), record, commands };
        control::start(dir, &addresses, &tasks, move |question| desk.clone().answer(question))?;
        tasks.spawn("hub", hub.run(observed, obeyed, shutdown.clone()));
        for (index, target) in settings.targets.iter().enumerate() {
            let Some(group) = settings.groups.get(target.target.group) else { continue };
            let times = (group.interval, group.timeout);
            let probe = Probe::new(index, target, times, &settings.accounts, &tasks)?;
            let name = format!("probe {}", target.target.name);
            tasks.spawn(&name, probe.run(news.clone(), view.clone(), shutdown.clone()));
        }
        Ok(())
    }
}
