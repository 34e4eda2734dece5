//! What the tap says, of its master to readers and of itself to the machine it runs on.

use super::Tap;
use crate::error::Error;
use crate::events::Event;
use crate::master::ANSWER_WITHIN;
use crate::publish::Draft;
use maidenlane_wire::{Heartbeat, Record};
use std::time::{Duration, Instant, SystemTime};

/// Between looks for spool segments to delete.
const RECLAIM_EVERY: Duration = Duration::from_secs(10);

impl Tap {
    /// Heartbeat, finality, readiness, spool: what is due once per tick.
    pub(super) fn tell(&mut self) -> Result<(), Error> {
        self.publisher.refresh()?;
        if self.publisher.is_open() {
            let finality = if self.follow.resuming() { None } else { self.finality()? };
            let beat = self.heartbeat(self.publisher.tail().reader.more());
            self.publish_signs(finality, beat)?;
        }
        self.tell_health();
        if Instant::now() >= self.next_reclaim {
            self.next_reclaim = Instant::now() + RECLAIM_EVERY;
            self.reclaim()?;
        }
        Ok(())
    }

    fn finality(&mut self) -> Result<Option<Draft>, Error> {
        let safe = self.master()?.tagged("safe")?;
        let finalized = self.master()?.tagged("finalized")?;
        Ok(self.publisher.finality(safe, finalized))
    }

    /// A heartbeat, if the master answered a moment ago.
    pub(super) fn heartbeat(&self, more: bool) -> Option<Draft> {
        let recent = self.seen.filter(|(_, at)| at.elapsed().is_ok_and(|age| age <= ANSWER_WITHIN));
        let ((master, at), published) = recent.zip(self.publisher.tail().published.head())?;
        let seen = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let master_seen_ms = u64::try_from(seen.as_millis()).unwrap_or(u64::MAX);
        let record = Heartbeat { published, master, resuming: self.follow.resuming(), master_seen_ms };
        Some(Draft { record: Record::Heartbeat(record), more })
    }

    /// In one append: a head that is announced meanwhile waits for it.
    pub(super) fn publish_signs(
        &mut self,
        finality: Option<Draft>,
        heartbeat: Option<Draft>,
    ) -> Result<(), Error> {
        let (is_final, beats) = (finality.is_some(), heartbeat.is_some());
        if is_final || beats {
            self.publisher.publish(finality.into_iter().chain(heartbeat).collect())?;
        }
        if is_final {
            self.events.emit(&Event::Finalized { number: self.publisher.finalized() });
        }
        if beats {
            self.events.emit(&Event::Heartbeat);
        }
        Ok(())
    }

    fn tell_health(&self) {
        let tail = self.publisher.tail();
        let status = serde_json::json!({
            "published": tail.published.head(),
            "master": self.seen.map(|(head, _)| head),
            "resuming": self.follow.resuming(),
            "epoch": tail.reader.epoch(),
            "seq": tail.reader.next_seq(),
            "offset": tail.next.0,
            "finalized": self.publisher.finalized(),
            "waitingFor": self.waiting.map(|(block, _)| block),
            "spoolBlocks": self.spool.len(),
        });
        self.health.set_section("tap", status);
        match (self.waiting, tail.published.head()) {
            (Some((missing, _)), _) => self.health.set_unready(format!("no frames of block {missing}")),
            _ if self.follow.resuming() => self.health.set_unready("the master is behind the published head"),
            // Fit once a record of our own epoch is acknowledged.
            (_, Some(head)) if self.publisher.is_open() => {
                self.health.set_ready();
                self.health.set_status_line(&format!("published {head}"));
            }
            (_, Some(_)) => self.health.set_unready("not the feed's writer yet"),
            (_, None) => self.health.set_unready("the feed is empty"),
        }
        if let Err(reason) = self.health.ready() {
            self.health.set_status_line(&reason);
            self.health.extend_timeout(crate::START_WAIT);
        }
    }

    /// Deletes spool segments whose blocks can no longer be needed.
    fn reclaim(&mut self) -> Result<(), Error> {
        let Some(head) = self.publisher.tail().published.head() else { return Ok(()) };
        let deep = head.number.saturating_sub(self.settings.get().keep_depth);
        let done = self.publisher.finalized().min(head.number).max(deep);
        let segments = self.spool.reclaim(done)?;
        if segments > 0 {
            self.events.emit(&Event::Reclaimed { segments });
        }
        Ok(())
    }
}
