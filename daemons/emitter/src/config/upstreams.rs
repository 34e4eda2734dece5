//! Settings of the nodes that get the transactions, and of which get whose.

use crate::route::{Route, Routes, Rule};
use crate::upstream::Settings;
use maidenlane_chain::Address as Account;
use maidenlane_config::credentials::{self, CredentialRaw};
use maidenlane_config::{Checker, StaticType, shapes};
use maidenlane_jsonrpc::client::{Endpoint, Remote};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Largest answer: a transaction with all that it may carry, in hex, and room for a provider's words.
const ANSWER_BYTES_MAX: u32 = 4 << 20;

/// A node that transactions are sent to.
#[derive(Clone, Debug, Deserialize, StaticType)]
#[expect(non_snake_case, reason = "the names of the Dhall fields")]
pub struct UpstreamRaw {
    /// Name in outcomes, metrics and `/status`.
    pub name: String,
    /// `http://`, `https://`, `ws://` or `wss://`, or the absolute path of an IPC socket.
    pub address: String,
    /// File with what lets us in.
    pub credential: Option<CredentialRaw>,
    /// PEM file of the authorities that sign its certificate; `None` for the system's.
    pub ca: Option<String>,
    /// Time for an answer; without one the transaction is sent again.
    pub timeout_ms: u64,
    /// Requests that may wait for it; what is more is sent later.
    pub queueMax: u64,
    /// Requests at one time. Each sender's go one after the other.
    pub lanes: u64,
    /// Requests per second; `None` for any number.
    pub perSecond: Option<u64>,
}

/// A route: nodes for the transactions of some senders or with some tags.
#[derive(Clone, Debug, Deserialize, StaticType)]
pub struct RouteRaw {
    /// Name in metrics.
    pub name: String,
    /// Addresses of senders.
    pub senders: Vec<String>,
    /// Tags, as replicas give them to identities.
    pub tags: Vec<String>,
    /// Names of nodes, those first that are asked first; empty for all.
    pub upstreams: Vec<String>,
    /// Nodes that get a transaction at once, the others when those fail; `None` for all.
    pub redundancy: Option<u64>,
}

/// Validates the routes to nodes of these names.
pub(super) fn routes(raw: &[RouteRaw], nodes: &[&str], checker: &mut Checker) -> Option<Routes> {
    let mut names = BTreeSet::new();
    let mut rules = Vec::new();
    for (index, one) in raw.iter().enumerate() {
        let rule = checker.inside(&format!("routes[{index}]"), |checker| {
            if !names.insert(&one.name) {
                checker.wrong("name", format_args!("`{}` is the name of another route", one.name));
            }
            rule(one, nodes, checker)
        });
        rules.push(rule);
    }
    Some(Routes::new(rules.into_iter().collect::<Option<_>>()?, nodes.len()))
}

fn rule(raw: &RouteRaw, known: &[&str], checker: &mut Checker) -> Option<Rule> {
    let name = shapes::word("name", &raw.name, checker);
    let mut senders = BTreeSet::new();
    for (index, text) in raw.senders.iter().enumerate() {
        let address = text.parse::<Account>();
        let address = address.map_err(|_| format!("expected an address, found `{text}`"));
        senders.insert(checker.take(&format!("senders[{index}]"), address));
    }
    let mut nodes: Vec<_> =
        if raw.upstreams.is_empty() { (0..known.len()).map(Some).collect() } else { Vec::new() };
    for (index, name) in raw.upstreams.iter().enumerate() {
        let at =
            known.iter().position(|node| node == name).ok_or_else(|| format!("there is no node `{name}`"));
        nodes.push(checker.take(&format!("upstreams[{index}]"), at));
    }
    let most = u64::try_from(nodes.len()).unwrap_or(u64::MAX);
    let at_once = match raw.redundancy {
        Some(count) => checker.within("redundancy", count, 1..=most),
        None => Some(nodes.len()),
    };
    let (senders, nodes) =
        (senders.into_iter().collect::<Option<_>>(), nodes.into_iter().collect::<Option<_>>());
    let route = Route { name: name?, nodes: nodes?, at_once: at_once? };
    Some(Rule { senders: senders?, tags: raw.tags.iter().cloned().collect(), route: Arc::new(route) })
}

/// Validates the nodes: at least one, and their names differ.
pub(super) fn upstreams(raw: &[UpstreamRaw], checker: &mut Checker) -> Option<Vec<Settings>> {
    if raw.is_empty() {
        checker.wrong("upstreams", "expected at least one node");
        return None;
    }
    let mut names = BTreeSet::new();
    let mut found = Vec::new();
    for (index, one) in raw.iter().enumerate() {
        let valid = checker.inside(&format!("upstreams[{index}]"), |checker| {
            if !names.insert(&one.name) {
                checker.wrong("name", format_args!("`{}` is the name of another node", one.name));
            }
            upstream(one, checker)
        });
        found.push(valid);
    }
    found.into_iter().collect()
}

fn upstream(raw: &UpstreamRaw, checker: &mut Checker) -> Option<Settings> {
    let name = shapes::word("name", &raw.name, checker);
    let endpoint = checker.take("address", raw.address.parse::<Endpoint>());
    let credential = credentials::credential("credential", raw.credential.as_ref(), checker);
    let ca = credentials::file("ca", raw.ca.as_deref(), checker);
    let timeout = shapes::millis("timeout_ms", raw.timeout_ms, 100..=60_000, checker);
    let queue_max = checker.within("queueMax", raw.queueMax, 1..=100_000);
    let lanes = checker.within::<usize>("lanes", raw.lanes, 1..=256);
    let per_s = match raw.perSecond {
        Some(calls) => checker.within("perSecond", calls, 1..=1_000_000).map(Some),
        None => Some(None),
    };
    let (credential, ca) = (credential?, ca?);
    let (endpoint, timeout, lanes) = (endpoint?, timeout?, lanes?);
    // One more than the lanes: looks at its chain go beside them.
    let node = Remote {
        endpoint,
        credential,
        ca,
        timeout,
        requests_max: lanes + 1,
        answer_bytes_max: ANSWER_BYTES_MAX,
    };
    node.refuse_readable("credential", checker);
    Some(Settings { name: name?, node, lanes, queue_max: queue_max?, per_s: per_s? })
}
