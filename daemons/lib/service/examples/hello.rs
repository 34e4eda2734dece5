//! Example of the smallest daemon: a new one starts from it, and the tests of the lifecycle run it.

extern crate maidenlane_config as serde_dhall;

use maidenlane_config::shapes::{self, AdminRaw, LoggingRaw};
use maidenlane_config::{Checker, StaticType};
use maidenlane_service::prometheus_client::metrics::counter::Counter;
use maidenlane_service::tracer::{Describe, Line, logging};
use maidenlane_service::{Context, Daemon, Exit, Failure, Tracer, failpoint};
use serde::Deserialize;
use std::process::ExitCode;
use std::time::Duration;

/// Settings as written in Dhall.
#[derive(Deserialize, StaticType)]
#[expect(non_snake_case, reason = "the names of the Dhall fields")]
struct HelloRaw {
    admin: AdminRaw,
    logging: LoggingRaw,
    stateDir: String,
    fate: FateRaw,
    every_ms: u64,
}

/// End of the one task.
#[derive(Deserialize, StaticType)]
enum FateRaw {
    Greet,
    End,
    Panic,
    Fail,
    /// The task does its work, and holds all IO threads but one for ever.
    HoldSome,
    /// The task does its work, and holds all IO threads for ever.
    HoldAll,
}

struct Settings {
    daemon: shapes::Daemon,
    fate: FateRaw,
    every: Duration,
}

impl maidenlane_config::Settings for Settings {
    type Raw = HelloRaw;

    const RELOADS: &'static [&'static str] = &["every_ms", "logging.filter"];

    const EXAMPLES: &'static [&'static str] = &[];

    fn validate(raw: HelloRaw, checker: &mut Checker) -> Option<Self> {
        let daemon = shapes::daemon(&raw.admin, raw.logging, &raw.stateDir, checker);
        let every_ms = checker.within("every_ms", raw.every_ms, 1..=1_000);
        Some(Self { daemon: daemon?, fate: raw.fate, every: Duration::from_millis(every_ms?) })
    }
}

/// Events of the daemon.
enum Event {
    Greeted { times: u64 },
}

impl Describe for Event {
    fn line(&self) -> Option<Line> {
        let Self::Greeted { times } = self;
        Some(Line { level: tracing::Level::INFO, message: format!("greeted {times} times") })
    }
}

/// Tracer for the metrics.
fn counting(greetings: Counter) -> Tracer<Event> {
    Tracer::new(move |Event::Greeted { .. }: &Event| {
        greetings.inc();
    })
}

struct Hello;

impl Daemon for Hello {
    const NAME: &'static str = "hello";
    const ABOUT: &'static str = "Greets, as an example of a daemon";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Settings = Settings;

    fn shared(settings: &Settings) -> &shapes::Daemon {
        &settings.daemon
    }

    async fn run(context: Context<Settings>) -> Result<(), Failure> {
        let greetings = Counter::default();
        context
            .metrics
            .register(|registry| registry.register("greetings", "Greetings said", greetings.clone()));
        let events = logging().and(&counting(greetings));
        let threads = tokio::runtime::Handle::current().metrics().num_workers();
        let held = match context.settings.get().fate {
            FateRaw::HoldAll => threads,
            FateRaw::HoldSome => threads.saturating_sub(1),
            _ => 0,
        };
        for number in 0..held {
            context.tasks.spawn(
                &format!("endless {number}"),
                std::future::poll_fn(|_| {
                    loop {
                        std::thread::park();
                    }
                }),
            );
        }
        let (health, shutdown) = (context.health.clone(), context.tasks.shutdown().clone());
        // Async work goes to `spawn`, a blocking loop to a thread that polls the shutdown.
        context.tasks.spawn_thread("greeter", move || {
            let mut times = 0;
            while !shutdown.is_triggered() {
                failpoint("hello.before_greeting");
                let settings = context.settings.get();
                match settings.fate {
                    FateRaw::Greet | FateRaw::HoldSome | FateRaw::HoldAll => {}
                    FateRaw::End => return Ok(()),
                    FateRaw::Panic => panic!("no words"),
                    FateRaw::Fail => return Err(Failure::new(Exit::Data, "the words are corrupt")),
                }
                times += 1;
                events.emit(&Event::Greeted { times });
                health.set_section("greeter", times.into());
                let every_ms = u64::try_from(settings.every.as_millis()).unwrap_or(u64::MAX);
                health.set_section("every", every_ms.into());
                health.set_status_line(&format!("greeted {times} times"));
                health.progress();
                health.set_ready();
                std::thread::sleep(settings.every);
                tracing::debug!("waited {every_ms} ms");
            }
            // Drained by now: no balancer may send requests here again.
            health.set_ready();
            Ok(())
        })
    }
}

fn main() -> ExitCode {
    maidenlane_service::main::<Hello>()
}
