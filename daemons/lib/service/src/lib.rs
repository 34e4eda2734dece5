//! Frame of every daemon: one lifecycle, telemetry, admin HTTP, signals, named tasks. Knows nothing of Ethereum.
//!
//! A daemon is one `impl Daemon` and a `main` of one call; `examples/hello.rs` is the smallest. Its `run` starts
//! tasks in `context.tasks` and returns; all that ends them is the shutdown, and any other end stops the process.
//!
//! | file | idea |
//! |---|---|
//! | `lifecycle` | args → settings → telemetry → runtime → `run` → exit code |
//! | `tasks` | named tasks and threads; any unexpected end is fatal |
//! | `reload`, `current` | SIGHUP: changes of an edited file in a running daemon |
//! | `addresses` | the file that says where a daemon listens |
//! | `io` | whether the IO threads still answer |
//! | `disk` | room for a daemon's files, and for how long |
//! | `health` | fitness, status line, watchdog |
//! | `admin` | `/live /ready /status /metrics` |
//! | `tracer` | typed events, their log lines, and tests that wait for them |
//! | `clock` | wall clock and durations in milliseconds, as records and answers have them |
//! | `log` | the log of a feed, from the settings |
//! | `away` | waits for a log that is away |
//! | [`files`] | files that are there whole or not at all, locks, removals |
//! | `failpoint` | named points where tests kill or hold a process |
//!
//! Only this crate touches signals, the environment and exit codes.

mod addresses;
mod admin;
mod away;
pub mod clock;
mod current;
mod disk;
mod exit;
mod failpoint;
pub mod files;
mod health;
mod io;
mod lifecycle;
mod log;
mod reload;
mod tasks;
mod telemetry;
pub mod tracer;

pub use addresses::Addresses;
pub use admin::Metrics;
pub use away::{Away, GaveUp};
pub use current::Current;
pub use exit::{Exit, Failure, with_causes};
pub use failpoint::failpoint;
pub use health::Health;
pub use lifecycle::{Context, Daemon, main};
pub use log::log_backend;
pub use prometheus_client;
pub use tasks::{Shutdown, Supervisor, TaskGroup};
pub use tracer::Tracer;

/// An environment variable, if it is set and valid UTF-8. Settings come from Dhall; this serves what a service
/// manager or a test passes.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
