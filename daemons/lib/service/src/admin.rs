//! Admin listener: `/live`, `/ready`, `/status`, `/metrics`.

use crate::{Exit, Failure, Health, Shutdown};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus_client::registry::Registry;
use std::sync::{Arc, Mutex, PoisonError};

/// Metrics of the daemon, shared between the parts that register and the listener that renders.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Mutex<Registry>>);

impl Metrics {
    pub(crate) fn new(daemon: &str) -> Self {
        Self(Arc::new(Mutex::new(Registry::with_prefix(format!("maidenlane_{daemon}")))))
    }

    /// Registers metrics; the prefix `maidenlane_<daemon>_` is added.
    pub fn register<T>(&self, register: impl FnOnce(&mut Registry) -> T) -> T {
        register(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn render(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(
            &mut text,
            &self.0.lock().unwrap_or_else(PoisonError::into_inner),
        )?;
        Ok(text)
    }
}

type Shared = State<(Health, Metrics)>;

/// Serves until the shutdown.
///
/// # Errors
/// When the listener breaks.
pub(crate) async fn serve(
    listener: tokio::net::TcpListener,
    health: Health,
    metrics: Metrics,
    shutdown: Shutdown,
) -> Result<(), Failure> {
    let router = Router::new()
        .route("/live", get(|| std::future::ready("live\n")))
        .route("/ready", get(ready))
        .route("/status", get(status))
        .route("/metrics", get(render))
        .with_state((health, metrics));
    axum::serve(listener, router)
        .with_graceful_shutdown(async move { shutdown.triggered().await })
        .await
        .map_err(|error| Failure::new(Exit::TaskDied, error))
}

async fn ready(State((health, _)): Shared) -> impl IntoResponse {
    match health.ready() {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}

async fn status(State((health, _)): Shared) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], format!("{:#}\n", health.status()))
}

async fn render(State((_, metrics)): Shared) -> impl IntoResponse {
    match metrics.render() {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
