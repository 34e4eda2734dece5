//! Pages of our own daemons, `/ready` and `/status`, and of beacon nodes.

use crate::observe::{Ready, Room, Seen};
use maidenlane_jsonrpc::client::{ClientError, Endpoint, LinkError, Page, Pages, Remote};
use maidenlane_service::{clock, with_causes};
use serde::Deserialize;
use serde_json::Value;
use std::time::{Duration, UNIX_EPOCH};

/// Half of the resolution of a server's date, in milliseconds: on average it is so much older than it says.
const HALF_SECOND_MS: i64 = 500;
/// Reason that a daemon gives while it stops.
const STOPPING: &str = "stopping";

/// Admin listener of one of our daemons.
#[derive(Debug)]
pub(super) struct Daemon(Pages);

impl Daemon {
    pub(super) fn new(remote: &Remote) -> Result<Self, LinkError> {
        Ok(Self(pages(remote)?))
    }

    pub(super) async fn ask(&self) -> Result<Seen, ClientError> {
        let page = self.0.get("/status").await?;
        let status: Status = serde_json::from_slice(&page.body).unwrap_or_default();
        Ok(Seen { clock_ahead_ms: ahead_ms(&page), ..seen(status) })
    }
}

/// Client for pages of a target.
fn pages(remote: &Remote) -> Result<Pages, LinkError> {
    let Endpoint::Http(uri) = remote.address()? else {
        return Err(LinkError::Secret(format!("{} has no pages", remote.endpoint)));
    };
    Pages::new(&uri, remote.options()?).map_err(LinkError::Client)
}

/// `/status`, as far as it is looked at: fifty of them a second, of which most is passed over.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    ready: Option<bool>,
    reason: Option<String>,
    unknown_fork: Option<Fork>,
    replica: Option<Replica>,
    snapshots: Option<Snapshots>,
    disk: Option<Disk>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Fork {
    name: String,
    seconds_left: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Replica {
    obstacle: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Snapshots {
    due: bool,
    seconds_left: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Disk {
    free_bytes: Option<u64>,
    total_bytes: Option<u64>,
    seconds_left: Option<u64>,
}

/// Fitness by `/status`, which has what `/ready` has, and more.
fn seen(status: Status) -> Seen {
    let ready = match (status.ready, status.reason) {
        (Some(true), _) => Ready::Yes,
        (Some(false), Some(reason)) if reason == STOPPING => Ready::Stopping,
        (Some(false), reason) => Ready::No(reason.unwrap_or_default()),
        (None, _) => Ready::No("it is none of our daemons: its status has no `ready`".to_owned()),
    };
    let due = |snapshots: Snapshots| snapshots.due.then(|| snapshots.seconds_left.unwrap_or(0));
    Seen {
        ready: Some(ready),
        unknown_fork: status.unknown_fork.map(|fork| (fork.name, fork.seconds_left)),
        obstacle: status.replica.map(|replica| replica.obstacle.map_or(Ok(()), Err)),
        snapshot_due: status.snapshots.map(due),
        room: status.disk.and_then(|disk| room(&disk)),
        ..Seen::default()
    }
}

fn room(disk: &Disk) -> Option<Room> {
    let free_percent = disk.free_bytes?.saturating_mul(100).checked_div(disk.total_bytes?)?;
    Some(Room { free_percent, left: disk.seconds_left.map(Duration::from_secs) })
}

/// Milliseconds by which the server's clock is ahead of ours.
fn ahead_ms(page: &Page) -> Option<i64> {
    let date = httpdate::parse_http_date(page.date.as_ref()?.to_str().ok()?).ok()?;
    let theirs = i64::try_from(date.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()?;
    let ours = i64::try_from(clock::now_ms()).ok()?;
    Some(theirs + HALF_SECOND_MS - ours)
}

/// REST interface of a beacon node.
#[derive(Debug)]
pub(super) struct Beacon(Pages);

impl Beacon {
    pub(super) fn new(remote: &Remote) -> Result<Self, LinkError> {
        Ok(Self(pages(remote)?))
    }

    pub(super) async fn ask(&self) -> Result<Seen, String> {
        let page = self.0.get("/eth/v1/node/syncing").await.map_err(|error| with_causes(&error))?;
        let peers = self.0.get("/eth/v1/node/peer_count").await.map_err(|error| with_causes(&error))?;
        let data = |page: &Page| {
            let whole: Value = serde_json::from_slice(&page.body).unwrap_or_default();
            whole
                .get("data")
                .cloned()
                .ok_or_else(|| format!("HTTP status {} without data", page.status.as_u16()))
        };
        let mut seen = synced(&data(&page)?);
        seen.peers = data(&peers)?.get("connected").and_then(number);
        seen.clock_ahead_ms = ahead_ms(&page);
        Ok(seen)
    }
}

/// Numbers of the beacon API are texts.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// Word of a beacon node about itself. One that follows blocks which no execution client has executed is not fit.
fn synced(data: &Value) -> Seen {
    let flag = |name: &str| data.get(name).and_then(Value::as_bool);
    let ready = match (flag("el_offline"), flag("is_optimistic")) {
        (Some(true), _) => Ready::No("its execution client does not answer".to_owned()),
        (_, Some(true)) => {
            Ready::No("it is optimistic: its execution client has not executed its head".to_owned())
        }
        _ => Ready::Yes,
    };
    Seen { ready: Some(ready), syncing: flag("is_syncing"), ..Seen::default() }
}

#[cfg(test)]
mod tests {
    use super::{Ready, Room, Seen, synced};
    use serde_json::{Value, json};
    use std::time::Duration;

    fn seen(status: &Value) -> Seen {
        super::seen(serde_json::from_value(status.clone()).unwrap_or_default())
    }

    #[test]
    fn a_daemons_own_word_is_understood() {
        let check = |status: Value, expect: Ready| assert_eq!(seen(&status).ready, Some(expect), "{status}");
        check(json!({"ready": true, "reason": null}), Ready::Yes);
        check(json!({"ready": false, "reason": "3 blocks behind"}), Ready::No("3 blocks behind".to_owned()));
        check(json!({"ready": false, "reason": "stopping"}), Ready::Stopping);
        check(json!([]), Ready::No("it is none of our daemons: its status has no `ready`".to_owned()));
        let told = seen(&json!({
            "ready": true, "unknownFork": {"name": "bogota", "secondsLeft": -5},
            "replica": {"obstacle": "the log is away"}, "snapshots": {"due": true, "secondsLeft": 60},
            "disk": {"freeBytes": 7, "totalBytes": 100, "secondsLeft": 30},
        }));
        assert_eq!(told.room, Some(Room { free_percent: 7, left: Some(Duration::from_secs(30)) }));
        assert_eq!(told.unknown_fork, Some(("bogota".to_owned(), -5)));
        assert_eq!(told.obstacle, Some(Err("the log is away".to_owned())));
        assert_eq!(told.snapshot_due, Some(Some(60)));
        let told = seen(
            &json!({"ready": true, "unknownFork": null, "replica": {"obstacle": null}, "snapshots": {"due": false}}),
        );
        assert_eq!((told.unknown_fork, told.obstacle, told.snapshot_due), (None, Some(Ok(())), Some(None)));
    }

    #[test]
    fn a_beacon_nodes_word_is_understood() {
        let data = |el_offline: bool, is_optimistic: bool| {
            json!({"head_slot": "1", "sync_distance": "0", "is_syncing": false, "is_optimistic": is_optimistic,
                "el_offline": el_offline})
        };
        assert_eq!(synced(&data(false, false)).ready, Some(Ready::Yes));
        assert_eq!(synced(&data(false, false)).syncing, Some(false));
        for (el_offline, is_optimistic) in [(true, false), (false, true)] {
            assert!(matches!(synced(&data(el_offline, is_optimistic)).ready, Some(Ready::No(_))));
        }
    }
}
