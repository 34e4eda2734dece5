//! Settings of the builders that get orders.

use super::RelayRaw;
use crate::dialect::Dialect;
use crate::stratum::{LINES, WEB_SOCKET};
use maidenlane_config::credentials::{self, CredentialRaw};
use maidenlane_config::listeners::SecretFile;
use maidenlane_config::{Checker, StaticType, shapes};
use maidenlane_jsonrpc::client::{Endpoint, Framing, Remote};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// Largest answer of a builder: a few names, or an error.
const ANSWER_BYTES_MAX: u32 = 64 << 10;

/// A builder.
#[derive(Clone, Debug, Deserialize, StaticType)]
pub struct BuilderRaw {
    /// Name in orders, metrics and `/status`.
    pub name: String,
    /// Identity of a listener that pulls orders for it; `None` for none.
    pub pulls: Option<String>,
    /// Where orders are sent to it; `None` for nowhere.
    pub push: Option<PushRaw>,
}

/// Address of a builder, and how it is spoken to.
#[derive(Clone, Debug, Deserialize, StaticType)]
#[expect(non_snake_case, reason = "the names of the Dhall fields")]
pub struct PushRaw {
    /// `http://` or `https://`, or `stratumss://` or `stratumss+tcp://`.
    pub address: String,
    /// Dialect.
    pub dialect: DialectRaw,
    /// File with the key that signs requests, 64 hex digits; `None` signs nothing.
    pub key: Option<String>,
    /// True if it takes nothing that is not signed.
    pub wantsKey: bool,
    /// File with what lets us in.
    pub credential: Option<CredentialRaw>,
    /// PEM file of the authorities that sign its certificate; `None` for the system's.
    pub ca: Option<String>,
    /// Time for an answer; without one the order is sent again.
    pub timeout_ms: u64,
    /// Requests at one time.
    pub lanes: u64,
    /// Blocks before its own at which an order goes out.
    pub ahead: u64,
    /// Requests per second; `None` for any number.
    pub perSecond: Option<u64>,
    /// Transactions of an order; `None` for any number.
    pub txsMax: Option<u64>,
    /// Size of the transactions of an order; `None` for any.
    pub orderMax_kB: Option<u64>,
    /// True if requests are made and none is sent.
    pub dryRun: bool,
}

/// Dialect of a builder.
#[derive(Clone, Copy, Debug, Deserialize, StaticType)]
pub enum DialectRaw {
    /// The first relay's.
    Flashbots,
    /// BuilderNet's.
    BuilderNet,
    /// Titan's.
    Titan,
}

/// Validated [`BuilderRaw`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Builder {
    /// Name.
    pub name: String,
    /// Identity that pulls for it.
    pub pulls: Option<String>,
    /// Where orders are sent to it.
    pub push: Option<Push>,
}

/// Validated [`PushRaw`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// Address, credentials and time for an answer.
    pub remote: Remote,
    /// Way in which requests go there.
    pub way: Way,
    /// Dialect.
    pub dialect: Dialect,
    /// File with the key that signs.
    pub key: Option<SecretFile>,
    /// Requests at one time.
    pub lanes: usize,
    /// Blocks before its own at which an order goes out.
    pub ahead: u64,
    /// Requests per second; `None` for any number.
    pub per_s: Option<u32>,
    /// Bounds of an order.
    pub most: Most,
    /// True if requests are made and none is sent.
    pub dry_run: bool,
}

/// Way in which requests go to a builder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Each as a post of HTTP.
    Posts,
    /// All on one connection over TLS.
    Messages(Framing),
}

impl Push {
    /// Address without its path, where keys may be.
    #[must_use]
    pub fn address(&self) -> String {
        let text = self.remote.endpoint.to_string();
        let rest = || text.split_once("://").map_or("", |(_, rest)| rest);
        match self.way {
            Way::Posts => text,
            Way::Messages(Framing::WebSocket) => format!("{WEB_SOCKET}{}", rest()),
            Way::Messages(Framing::Lines) => format!("{LINES}{}", rest()),
        }
    }
}

/// Largest order that a builder takes; `None` where it has no such bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Most {
    /// Transactions.
    pub txs: Option<usize>,
    /// Bytes of all of them.
    pub bytes: Option<usize>,
}

/// Validates the builders: their names differ, and whoever pulls for one may come in somewhere.
pub(super) fn builders(raw: &RelayRaw, checker: &mut Checker) -> Option<Vec<Builder>> {
    let mut names = BTreeSet::new();
    let known = |identity: &String| {
        raw.listeners.iter().flat_map(|listener| &listener.access).any(|access| access.name == *identity)
    };
    let each = raw.builders.iter().enumerate().map(|(index, builder)| {
        checker.inside(&format!("builders[{index}]"), |checker| {
            if !names.insert(&builder.name) {
                checker.wrong("name", format_args!("`{}` is the name of another builder", builder.name));
            }
            if let Some(identity) = builder.pulls.as_ref().filter(|identity| !known(identity)) {
                checker.wrong("pulls", format_args!("no listener lets in an identity `{identity}`"));
            }
            let name = shapes::word("name", &builder.name, checker);
            let push = match &builder.push {
                Some(raw) => checker.inside("push", |checker| push(raw, checker)).map(Some),
                None => Some(None),
            };
            Some(Builder { name: name?, pulls: builder.pulls.clone(), push: push? })
        })
    });
    each.collect::<Vec<_>>().into_iter().collect()
}

fn push(raw: &PushRaw, checker: &mut Checker) -> Option<Push> {
    let endpoint = checker.take("address", endpoint(&raw.address));
    let is_lines = raw.address.starts_with(LINES);
    if is_lines && raw.credential.is_some() {
        checker.wrong("credential", "no header goes before lines: leave it out, and sign by `key`");
    }
    let key = credentials::file("key", raw.key.as_deref(), checker);
    let credential = credentials::credential("credential", raw.credential.as_ref(), checker);
    let ca = credentials::file("ca", raw.ca.as_deref(), checker);
    let timeout = shapes::millis("timeout_ms", raw.timeout_ms, 100..=60_000, checker);
    let lanes = checker.within::<usize>("lanes", raw.lanes, 1..=256);
    let ahead = checker.within("ahead", raw.ahead, 1..=1_000);
    let per_s = optional("perSecond", raw.perSecond, 1..=1_000_000, checker);
    let txs = optional::<usize>("txsMax", raw.txsMax, 1..=10_000, checker);
    let order_kb = optional::<usize>("orderMax_kB", raw.orderMax_kB, 1..=1_000_000, checker);
    if raw.wantsKey && raw.key.is_none() {
        checker.wrong("key", "this builder takes nothing that is not signed: name the file of a key");
    }
    let dialect = match raw.dialect {
        DialectRaw::Flashbots => Dialect::Flashbots,
        DialectRaw::BuilderNet => Dialect::BuilderNet,
        DialectRaw::Titan => Dialect::Titan,
    };
    let (key, credential, ca, lanes) = (key?, credential?, ca?, lanes?);
    let most = Most { txs: txs?, bytes: order_kb?.map(|size| size.saturating_mul(1_000)) };
    let (endpoint, way) = endpoint?;
    let remote = Remote {
        endpoint,
        credential,
        ca,
        timeout: timeout?,
        requests_max: lanes,
        answer_bytes_max: ANSWER_BYTES_MAX,
    };
    remote.refuse_readable("credential", checker);
    let (ahead, per_s, dry_run) = (ahead?, per_s?, raw.dryRun);
    Some(Push { remote, way, dialect, key, lanes, ahead, per_s, most, dry_run })
}

/// Server and way of an address. Those of stratum are spoken to over TLS always.
fn endpoint(address: &str) -> Result<(Endpoint, Way), String> {
    let parse = |text: &str| text.parse::<Endpoint>().map_err(|error| error.to_string());
    if let Some(rest) = address.strip_prefix(WEB_SOCKET) {
        return Ok((parse(&format!("wss://{rest}"))?, Way::Messages(Framing::WebSocket)));
    }
    if let Some(rest) = address.strip_prefix(LINES) {
        let endpoint = parse(&format!("https://{rest}"))?;
        let is_plain =
            |uri: &http::Uri| uri.port_u16().is_some() && uri.path_and_query().is_none_or(|all| all == "/");
        return match &endpoint {
            Endpoint::Http(uri) if is_plain(uri) => Ok((endpoint, Way::Messages(Framing::Lines))),
            _ => Err(format!("expected {LINES}HOST:PORT, without a path")),
        };
    }
    match parse(address)? {
        endpoint @ Endpoint::Http(_) => Ok((endpoint, Way::Posts)),
        _ => Err(format!("expected an address that begins with http://, https://, {WEB_SOCKET} or {LINES}")),
    }
}

/// A number that may be left out.
fn optional<N: TryFrom<u64>>(
    field: &str,
    value: Option<u64>,
    range: RangeInclusive<u64>,
    checker: &mut Checker,
) -> Option<Option<N>> {
    value.map_or(Some(None), |value| checker.within(field, value, range).map(Some))
}
