//! Settings that several daemons share, raw and validated.

use crate::{Checker, StaticType};
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;
use tracing_subscriber::EnvFilter;

/// The admin listener.
#[derive(Clone, Debug, Deserialize, StaticType)]
#[expect(non_snake_case, reason = "the names of the Dhall fields")]
pub struct AdminRaw {
    /// `address:port` of `/metrics /live /ready /status`.
    pub listen: String,
    /// True if something else decides who reaches an address that is not loopback.
    pub behindProxy: bool,
}

/// The daemon's own log.
#[derive(Clone, Debug, Deserialize, StaticType)]
pub struct LoggingRaw {
    /// Filter in `tracing` syntax: `info`, or `info,maidenlane_replica=debug`.
    pub filter: String,
    /// True for lines as JSON.
    pub json: bool,
}

/// The chain that is served.
#[derive(Clone, Debug, Deserialize, StaticType)]
pub struct ChainRaw {
    /// Name in topic names: `mainnet`.
    pub name: String,
    /// EIP-155 chain id.
    pub id: u64,
    /// Hash of block 0, `0x…`; `None` takes what the feed says.
    pub genesis: Option<String>,
}

/// Settings that every daemon has, validated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Daemon {
    /// Address that the admin listener binds.
    pub admin: SocketAddr,
    /// Log filter in `tracing` syntax, such as `info`.
    pub log_filter: String,
    /// True for log lines as JSON.
    pub log_json: bool,
    /// Directory of the daemon's own files; `addresses.json` is written there.
    pub state_dir: PathBuf,
}

impl Daemon {
    /// Notes what stands in the way of the state directory on this machine. One that is not there is made.
    pub fn on_machine(&self, checker: &mut Checker) {
        if let Some(there) = self.state_dir.ancestors().find(|at| at.exists())
            && !there.is_dir()
        {
            let text = format_args!("{} is no directory: name one, or a place for one", there.display());
            checker.wrong("stateDir", text);
        }
    }
}

/// Validates the fields `admin`, `logging` and `stateDir`.
pub fn daemon(
    admin: &AdminRaw,
    logging: LoggingRaw,
    state_dir: &str,
    checker: &mut Checker,
) -> Option<Daemon> {
    let admin =
        checker.inside("admin", |checker| listen("listen", &admin.listen, admin.behindProxy, checker));
    let parsed = EnvFilter::try_new(&logging.filter);
    let filter = parsed.map_err(|error| format!("{error}, found `{}`", logging.filter));
    let filter = checker.inside("logging", |checker| checker.take("filter", filter));
    let state_dir = path("stateDir", state_dir, checker);
    filter?;
    Some(Daemon { admin: admin?, log_filter: logging.filter, log_json: logging.json, state_dir: state_dir? })
}

/// Parses `address:port`. Other machines reach no listener unless the settings say who guards it.
pub fn listen(field: &str, text: &str, behind_proxy: bool, checker: &mut Checker) -> Option<SocketAddr> {
    bound(field, text, behind_proxy, "", checker)
}

/// Parses `address:port` of a listener that can guard itself.
pub(crate) fn reachable(field: &str, text: &str, guarded: bool, checker: &mut Checker) -> Option<SocketAddr> {
    bound(field, text, guarded, ", or set tls and access", checker)
}

fn bound(field: &str, text: &str, guarded: bool, cure: &str, checker: &mut Checker) -> Option<SocketAddr> {
    let parsed = text.parse::<SocketAddr>().map_err(|_| {
        format!("expected an IP address and a port up to 65535, `127.0.0.1:8545`, found `{text}`")
    });
    let address = checker.take(field, parsed)?;
    if address.ip().is_loopback() || guarded {
        return Some(address);
    }
    checker.wrong(
        field,
        format_args!(
            "{address} can be reached from other machines, without encryption and by everyone: listen on \
             127.0.0.1 or [::1], or say behindProxy = True where a proxy or a firewall stands in front{cure}"
        ),
    );
    None
}

/// An absolute path, below the root.
pub fn path(field: &str, text: &str, checker: &mut Checker) -> Option<PathBuf> {
    let path = PathBuf::from(text);
    if !path.is_absolute() {
        checker.wrong(field, format_args!("expected an absolute path, found `{text}`"));
        return None;
    }
    if path.file_name().is_none() {
        checker.wrong(field, format_args!("expected a path that ends with a name, found `{text}`"));
        return None;
    }
    Some(path)
}

/// A time within `range`, which is in milliseconds.
pub fn millis(
    field: &str,
    value: u64,
    range: std::ops::RangeInclusive<u64>,
    checker: &mut Checker,
) -> Option<Duration> {
    checker.within(field, value, range).map(Duration::from_millis)
}

/// A size of 1 MB to 1 TB, in bytes.
pub fn megabytes(field: &str, value: u64, checker: &mut Checker) -> Option<u64> {
    checker.within::<u64>(field, value, 1..=1_000_000).map(|megabytes| megabytes * 1_000_000)
}

/// Hash of block 0, if the settings name one.
pub fn genesis<H: FromStr>(raw: &ChainRaw, checker: &mut Checker) -> Option<Option<H>> {
    let Some(text) = raw.genesis.as_deref() else { return Some(None) };
    let parsed = text.parse().map_err(|_| format!("expected a block hash, found `{text}`"));
    checker.take("genesis", parsed).map(Some)
}

/// A word that can stand in a topic name.
pub fn word(field: &str, text: &str, checker: &mut Checker) -> Option<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !text.is_empty() && text.len() <= 64 && text.chars().all(fits) {
        return Some(text.to_owned());
    }
    checker.wrong(field, format_args!("expected 1 to 64 of a-z A-Z 0-9 - _, found `{text}`"));
    None
}

pub(crate) fn is_host_port(text: &str) -> bool {
    text.rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0))
}
