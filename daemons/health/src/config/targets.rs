//! Settings of targets: what they are, and the way to look at them.

use crate::board::Target;
use crate::probe::{Kind, Settings};
use maidenlane_config::credentials::{self, CredentialRaw};
use maidenlane_config::feed::{self, FeedRaw};
use maidenlane_config::{Checker, StaticType, shapes};
use maidenlane_jsonrpc::client::{Endpoint, Remote};
use serde::Deserialize;
use std::time::Duration;

/// Bytes of an answer: a block with the hashes of all that it may hold.
const ANSWER_BYTES_MAX: u32 = 4 << 20;
/// Requests to one target at one time.
const REQUESTS_MAX: usize = 4;

/// A target.
#[derive(Clone, Debug, Deserialize, StaticType)]
pub struct TargetRaw {
    /// Name in paths, metrics and answers.
    pub name: String,
    /// Kind and address.
    pub probe: ProbeRaw,
    /// `http://` address of its admin listener, for one of our daemons.
    pub admin: Option<String>,
    /// Feed that it follows, or that follows it. Targets of one feed have one vote; a node without one has its own.
    pub feed: Option<String>,
    /// True if it is right where votes decide nothing.
    pub trusted: bool,
    /// `address:port` for clients.
    pub serves: Option<String>,
    /// File with what lets us in.
    pub credential: Option<CredentialRaw>,
    /// PEM file of the authorities that sign its certificate; `None` for the system's.
    pub ca: Option<String>,
}

/// Kind and address of a target.
#[derive(Clone, Debug, Deserialize, StaticType)]
pub enum ProbeRaw {
    /// A replica: the address of its JSON-RPC.
    Replica(String),
    /// An execution client: the address of its JSON-RPC, or the path of its socket.
    Node(String),
    /// A tap, an emitter or a relay: the address of its admin listener.
    Daemon(String),
    /// A beacon node: the address of its REST interface.
    Beacon(String),
    /// A feed, by its name, read from the log of `feed`.
    Feed(String),
}

/// Log of feeds, and the chain's name in topic names.
pub(super) struct Feeds<'a> {
    pub(super) chain: &'a str,
    pub(super) of: Option<&'a FeedRaw>,
}

impl Feeds<'_> {
    /// The feed of that name.
    fn named(&self, name: &str, checker: &mut Checker) -> Option<feed::Feed> {
        let Some(raw) = self.of else {
            checker.wrong("probe", "set `feed`, which says where the log of feeds is");
            return None;
        };
        let raw = FeedRaw { name: name.to_owned(), ..raw.clone() };
        checker.inside("probe", |checker| feed::feed(raw, self.chain, checker))
    }
}

/// Validates a target of the group at `group`.
pub(super) fn target(
    raw: TargetRaw,
    group: usize,
    timeout: Duration,
    feeds: &Feeds<'_>,
    checker: &mut Checker,
) -> Option<Settings> {
    let name = shapes::word("name", &raw.name, checker);
    let credential = credentials::credential("credential", raw.credential.as_ref(), checker);
    let ca = credentials::file("ca", raw.ca.as_deref(), checker);
    let (credential, ca) = (credential?, ca?);
    let remote = |endpoint| Remote {
        endpoint,
        credential: credential.clone(),
        ca: ca.clone(),
        timeout,
        requests_max: REQUESTS_MAX,
        answer_bytes_max: ANSWER_BYTES_MAX,
    };
    let admin = match &raw.admin {
        Some(text) => web("admin", text, checker).map(|endpoint| Some(remote(endpoint))),
        None => Some(None),
    };
    let of_chain = matches!(raw.probe, ProbeRaw::Replica(_) | ProbeRaw::Node(_) | ProbeRaw::Feed(_));
    let executes = matches!(raw.probe, ProbeRaw::Node(_));
    let own = match &raw.probe {
        ProbeRaw::Feed(name) => name.clone(),
        _ => raw.name.clone(),
    };
    let kind = match raw.probe {
        ProbeRaw::Replica(text) => {
            checker.take("probe", text.parse::<Endpoint>()).map(|at| Kind::Replica(remote(at)))
        }
        ProbeRaw::Node(text) => {
            checker.take("probe", text.parse::<Endpoint>()).map(|at| Kind::Node(remote(at)))
        }
        ProbeRaw::Daemon(text) => web("probe", &text, checker).map(|at| Kind::Daemon(remote(at))),
        ProbeRaw::Beacon(text) => web("probe", &text, checker).map(|at| Kind::Beacon(remote(at))),
        ProbeRaw::Feed(name) => feeds.named(&name, checker).map(|feed| Kind::Feed(Box::new(feed))),
    };
    if let Some(Kind::Replica(at) | Kind::Node(at) | Kind::Daemon(at) | Kind::Beacon(at)) = &kind {
        at.refuse_readable("credential", checker);
    }
    let feed = raw.feed.as_ref().map_or(Some(own), |feed| shapes::word("feed", feed, checker));
    let serves = match &raw.serves {
        Some(text) => {
            let parsed = text.parse().map_err(|_| {
                format!("expected an IP address and a port up to 65535, `10.0.0.7:8545`, found `{text}`")
            });
            checker.take("serves", parsed).map(Some)
        }
        None => Some(None),
    };
    let source = feed.map(|feed| of_chain.then_some(feed));
    let (name, source, serves) = (name?, source?, serves?);
    let target = Target { name, group, source, trusted: raw.trusted, executes, serves };
    Some(Settings { target, kind: kind?, admin: admin? })
}

/// Address of pages.
fn web(field: &str, text: &str, checker: &mut Checker) -> Option<Endpoint> {
    let endpoint = checker.take(field, text.parse::<Endpoint>())?;
    if matches!(endpoint, Endpoint::Http(_)) {
        return Some(endpoint);
    }
    checker.wrong(field, format_args!("expected http:// or https://, found {endpoint}"));
    None
}
