//! HTTP: verdicts for balancers, everything for people, and the status page. Every answer is made of the view at hand.

mod demands;

use crate::foreign;
use crate::hub::Views;
use crate::incidents::Shared;
use crate::verdict::Verdict;
use crate::view::{TargetView, View};
use crate::words;
use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, Sse};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use futures_util::Stream;
use maidenlane_service::Shutdown;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// The status page: one file, nothing from elsewhere.
const PAGE: &str = include_str!("http/page.html");
/// Policy of the page: itself, and nothing from elsewhere.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'";
/// Shortest time between two events of a stream.
const EVENT_EVERY: Duration = Duration::from_millis(500);
/// Longest time between two: proxies close what is silent.
const EVENT_AT_LEAST: Duration = Duration::from_secs(10);

/// Streams of events at one time: pages that people have open. They must leave room for balancers.
const STREAMS_MAX: usize = 64;

/// Source of all answers.
#[derive(Clone, Debug)]
pub struct Source {
    /// Views.
    pub views: Views,
    /// Record of incidents.
    pub record: Shared,
    /// End of all streams.
    pub shutdown: Shutdown,
    streams: Arc<Semaphore>,
}

impl Source {
    /// A source of answers.
    #[must_use]
    pub fn new(views: Views, record: Shared, shutdown: Shutdown) -> Self {
        Self { views, record, shutdown, streams: Arc::new(Semaphore::new(STREAMS_MAX)) }
    }
}

/// All paths.
pub fn router(source: Source) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/events", get(events))
        .route("/ready", get(ready))
        .route("/health/{name}", get(health))
        .route("/targets", get(targets))
        .route("/targets/{name}", get(target))
        .route("/servers/{group}", get(servers))
        .route("/incidents", get(incidents))
        .with_state(source)
}

async fn page() -> impl IntoResponse {
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(PAGE))
}

/// Fit to be asked: whether each target was looked at, and not too long ago. Balancers that have two of this daemon choose by it.
async fn ready(State(source): State<Source>) -> impl IntoResponse {
    let view = source.views.now();
    if view.holds(source.views.at()) {
        (StatusCode::OK, "ready\n")
    } else if view.is_whole() {
        (StatusCode::SERVICE_UNAVAILABLE, "what it knows is old\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "starting\n")
    }
}

/// Verdict of a target or a group, as a status: 200, 429 for degraded unless `?min=degraded` takes it for good, 503.
async fn health(
    State(source): State<Source>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    asked: HeaderMap,
) -> Response {
    let view = source.views.now();
    let (lenient, demands) =
        match lenient(query.as_deref()).and_then(|lenient| Ok((lenient, demands::read(&asked)?))) {
            Ok(read) => read,
            Err(error) => return json_of(StatusCode::BAD_REQUEST, &json!({ "error": error })),
        };
    let status = |verdict: Verdict| match verdict {
        Verdict::Healthy => StatusCode::OK,
        Verdict::Degraded if lenient => StatusCode::OK,
        Verdict::Degraded => StatusCode::TOO_MANY_REQUESTS,
        Verdict::Draining | Verdict::Down => StatusCode::SERVICE_UNAVAILABLE,
    };
    let at = source.views.at();
    if let Some(target) = view.target(&name) {
        let (mut unmet, body) = (demands::unmet(&demands, target, view.now), words::target(target, view.now));
        unmet.extend(target.unwatched(at).map(|since| format!("a look at it, {} s ago", since.as_secs())));
        let status = if unmet.is_empty() { status(target.verdict) } else { StatusCode::SERVICE_UNAVAILABLE };
        return answer(status, Some(target), &view, with(body, &unmet));
    }
    let Some(group) = view.group(&name) else {
        return json_of(
            StatusCode::NOT_FOUND,
            &json!({"error": format!("no target or group is called {name}")}),
        );
    };
    let newest = view.pool(&name).max_by_key(|target| target.head.map(|tip| tip.block.number));
    let mut unmet = newest.map(|target| demands::unmet(&demands, target, view.now)).unwrap_or_default();
    if newest.is_some_and(|target| target.unwatched(at).is_some()) {
        unmet.push("a look at it in time".to_owned());
    }
    let status = if unmet.is_empty() { status(group.verdict) } else { StatusCode::SERVICE_UNAVAILABLE };
    answer(status, newest.map(|target| &**target), &view, with(words::group(group), &unmet))
}

/// True if `min` takes a degraded target for good.
fn lenient(query: Option<&str>) -> Result<bool, String> {
    let min = query.into_iter().flat_map(|query| query.split('&')).find_map(|part| part.strip_prefix("min="));
    match min {
        None | Some("healthy") => Ok(false),
        Some("degraded") => Ok(true),
        Some(other) => Err(format!("set min to healthy or degraded, found `{}`", foreign::cut(other, 40))),
    }
}

fn with(mut body: Value, unmet: &[String]) -> Value {
    if let Some(fields) = body.as_object_mut().filter(|_| !unmet.is_empty()) {
        fields.insert("unmet".to_owned(), json!(unmet));
    }
    body
}

/// Answer that names its block in headers.
fn answer(status: StatusCode, target: Option<&TargetView>, view: &View, body: Value) -> Response {
    let mut response = json_of(status, &body);
    let headers = response.headers_mut();
    let mut put = |name: &'static str, value: Option<String>| {
        if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            headers.insert(name, value);
        }
    };
    let block = target.and_then(|target| target.head).map(|tip| tip.block);
    put("x-block-number", block.map(|block| block.number.to_string()));
    put("x-block-hash", block.map(|block| block.hash.to_string()));
    put("x-block-age", target.and_then(|target| target.head_age_s(view.now)).map(|age_s| age_s.to_string()));
    response
}

fn json_of(status: StatusCode, body: &Value) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (status, kind, format!("{body:#}\n")).into_response()
}

async fn targets(State(source): State<Source>) -> Response {
    json_of(StatusCode::OK, &words::whole(&source.views.now()))
}

async fn target(State(source): State<Source>, Path(name): Path<String>) -> Response {
    let view = source.views.now();
    match view.target(&name) {
        Some(target) => json_of(StatusCode::OK, &words::target(target, view.now)),
        None => json_of(StatusCode::NOT_FOUND, &json!({"error": format!("no target is called {name}")})),
    }
}

/// Targets of a group that clients should be sent to now.
async fn servers(State(source): State<Source>, Path(group): Path<String>) -> Response {
    let view = source.views.now();
    let named = view.targets.iter().any(|target| target.group == group && target.serves.is_some());
    match view.group(&group) {
        Some(_) if named => json_of(StatusCode::OK, &words::servers(&view, &group)),
        // An empty list would say that nobody serves, for ever.
        Some(_) => json_of(
            StatusCode::NOT_FOUND,
            &json!({"error": format!("no target of {group} has an address for clients: set `serves`")}),
        ),
        None => json_of(StatusCode::NOT_FOUND, &json!({"error": format!("no group is called {group}")})),
    }
}

async fn incidents(State(source): State<Source>) -> Response {
    let view = source.views.now();
    let targets = view.targets.iter().map(|target| target.name.clone());
    let sources: BTreeSet<_> = view.targets.iter().filter_map(|target| target.source.as_ref()).collect();
    let subjects: Vec<String> =
        targets.chain(sources.into_iter().map(|source| format!("source:{source}"))).collect();
    let told = words::record(&source.record.lock(), &subjects, view.now.wall_ms);
    json_of(StatusCode::OK, &told)
}

/// Views as they come, for the page.
async fn events(
    State(source): State<Source>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, StatusCode> {
    let place = Arc::clone(&source.streams).try_acquire_owned();
    let place = place.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    let first = source.views.now();
    let stream =
        futures_util::stream::unfold((source, Some(first), place), |(mut source, first, place)| async move {
            let view = match first {
                Some(view) => view,
                None => next(&mut source).await?,
            };
            Some((Ok(Event::default().data(words::whole(&view).to_string())), (source, None, place)))
        });
    Ok(Sse::new(stream))
}

/// The next view; `None` at the shutdown.
async fn next(source: &mut Source) -> Option<Arc<View>> {
    let shutdown = source.shutdown.clone();
    let latest = &mut source.views.latest;
    shutdown.unless(tokio::time::sleep(EVENT_EVERY)).await?;
    let changed = shutdown.unless(tokio::time::timeout(EVENT_AT_LEAST, latest.changed())).await?;
    match changed {
        Ok(Err(_)) => None,
        _ => Some(Arc::clone(&latest.borrow_and_update())),
    }
}
