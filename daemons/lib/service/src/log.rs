//! Log of a feed, from the settings: the log itself knows no settings.

use maidenlane_config::shapes::Log;
use maidenlane_log::{Backend, kafka, segment};

/// The log that `settings` name; `maidenlane-<daemon>` is the client's name in the brokers' logs and quotas.
#[must_use]
pub fn log_backend(settings: &Log, daemon: &str) -> Backend {
    match settings {
        Log::Segment { dir } => Backend::Segment(segment::Options::new(dir)),
        Log::Kafka { brokers } => {
            let options = kafka::Options::new(brokers.clone());
            Backend::Kafka(kafka::Options { client_id: format!("maidenlane-{daemon}"), ..options })
        }
    }
}
