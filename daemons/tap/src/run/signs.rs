//! Liveness signals for readers: heartbeats, and finality.

use super::connection::Connection;
use super::output::Output;
use crate::error::Error;
use crate::events::Event;
use crate::publish::Draft;
use maidenlane_service::Tracer;
use maidenlane_service::clock::millis;
use maidenlane_wire::{Heartbeat, Record};
use std::time::SystemTime;

/// A FINAL, if the master has something new to say of finality.
pub(super) fn finality(connection: &mut Connection, output: &mut Output) -> Result<Option<Draft>, Error> {
    let safe = connection.master()?.tagged("safe")?;
    let finalized = connection.master()?.tagged("finalized")?;
    Ok(output.publisher.finality(safe, finalized))
}

/// A heartbeat, if the master answered a moment ago.
pub(super) fn heartbeat(
    connection: &Connection,
    output: &Output,
    resuming: bool,
    more: bool,
) -> Option<Draft> {
    let ((master, at), published) = connection.just_seen().zip(output.publisher.tail().published.head())?;
    let seen = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let master_seen_ms = millis(seen);
    Some(Draft { record: Record::Heartbeat(Heartbeat { published, master, resuming, master_seen_ms }), more })
}

/// Publishes FINAL and heartbeat in one append: a head that is announced meanwhile waits for it.
pub(super) fn publish(
    output: &mut Output,
    events: &Tracer<Event>,
    finality: Option<Draft>,
    heartbeat: Option<Draft>,
) -> Result<(), Error> {
    let (is_final, beats) = (finality.is_some(), heartbeat.is_some());
    if is_final || beats {
        output.publisher.publish(finality.into_iter().chain(heartbeat).collect())?;
    }
    if is_final {
        events.emit(&Event::Finalized { number: output.publisher.finalized() });
    }
    if beats {
        events.emit(&Event::Heartbeat);
    }
    Ok(())
}
