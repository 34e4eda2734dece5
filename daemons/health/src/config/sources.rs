//! Sources of votes, as the settings name them: a mistake here gives one node two votes, or a feed's replicas one each.

use super::targets::Feeds;
use crate::probe::{Kind, Settings};
use maidenlane_config::credentials::Credential;
use maidenlane_config::{Checker, nearest};
use maidenlane_jsonrpc::client::{Endpoint, Remote};
use std::collections::BTreeSet;

/// Target, as far as it votes.
struct Voter {
    /// Path of its settings.
    path: String,
    name: String,
    source: Option<String>,
    /// Feed that it names.
    feed: Option<String>,
    /// Address of one that can be asked for blocks, and the key that belongs behind it.
    address: Option<String>,
}

/// Targets of all groups.
pub(super) struct Sources {
    voters: Vec<Voter>,
    /// Feed of the settings' log.
    log: Option<String>,
}

impl Sources {
    pub(super) fn new(feeds: &Feeds<'_>) -> Self {
        Self { voters: Vec::new(), log: feeds.of.map(|feed| feed.name.clone()) }
    }

    /// Adds a target, if it is valid, with the feed that it names.
    pub(super) fn add(&mut self, path: String, settings: Option<&Settings>, feed: Option<String>) {
        let Some(Settings { target, kind, .. }) = settings else { return };
        let address = match kind {
            Kind::Replica(remote) | Kind::Node(remote) => Some(address(remote)),
            Kind::Daemon(_) | Kind::Beacon(_) | Kind::Feed(_) => None,
        };
        let feed = feed.filter(|_| target.source.is_some());
        let (name, source) = (target.name.clone(), target.source.clone());
        self.voters.push(Voter { path, name, source, feed, address });
    }

    pub(super) fn check(&self, checker: &mut Checker) {
        for (index, voter) in self.voters.iter().enumerate() {
            self.one_vote(index, voter, checker);
            self.known(index, voter, checker);
        }
    }

    /// Refuses a second source at one address.
    fn one_vote(&self, index: usize, voter: &Voter, checker: &mut Checker) {
        let same = |other: &&Voter| {
            other.address.is_some() && other.address == voter.address && other.source != voter.source
        };
        if let Some(other) = self.voters.iter().take(index).find(same) {
            let source = |of: &Voter| of.source.clone().unwrap_or_default();
            let text = format_args!(
                "`{}` has this address too, and would vote for `{}` while `{}` votes for `{}`: one address is one source, \
                 give both the same `feed` or correct one address",
                other.name,
                source(other),
                voter.name,
                source(voter)
            );
            checker.wrong(&format!("{}.probe", voter.path), text);
        }
    }

    /// Doubts a feed that nobody else names, where others name other feeds; refuses one that differs in case only.
    fn known(&self, index: usize, voter: &Voter, checker: &mut Checker) {
        let Some(feed) = voter.feed.as_deref() else { return };
        let others = self.voters.iter().enumerate().filter(|(other, _)| *other != index);
        let names = |other: &Voter| match (&other.feed, &other.address) {
            (Some(feed), _) => Some(feed.clone()),
            // A feed speaks for itself; a node that names none is no feed.
            (None, None) => other.source.clone(),
            (None, Some(_)) => None,
        };
        let known: BTreeSet<String> =
            others.filter_map(|(_, other)| names(other)).chain(self.log.clone()).collect();
        if known.is_empty() || known.contains(feed) {
            return;
        }
        let field = format!("{}.feed", voter.path);
        if let Some(other) = known.iter().find(|other| other.eq_ignore_ascii_case(feed)) {
            checker.wrong(
                &field,
                format_args!("`{feed}` and `{other}` differ in case only: did you mean `{other}`?"),
            );
            return;
        }
        let near = nearest(feed, known.iter().map(String::as_str));
        let hint = near.map_or_else(String::new, |near| format!(", did you mean `{near}`?"));
        let text = format_args!("nobody else names `{feed}`, so that `{}` votes alone{hint}", voter.name);
        checker.doubt(&field, text);
    }
}

/// Address in one form: no case in the host, a port, no slash at the end.
fn address(remote: &Remote) -> String {
    let (Endpoint::Http(uri) | Endpoint::WebSocket(uri)) = &remote.endpoint else {
        return remote.endpoint.to_string();
    };
    let scheme = uri.scheme_str().unwrap_or_default();
    let port = uri.port_u16().unwrap_or(if matches!(scheme, "https" | "wss") { 443 } else { 80 });
    let host = uri.host().unwrap_or_default().to_ascii_lowercase();
    let path = uri.path_and_query().map_or("", |path| path.as_str()).trim_end_matches('/');
    let key = match &remote.credential {
        Some(Credential::Path(file)) => format!("{file:?}"),
        _ => String::new(),
    };
    format!("{scheme}://{host}:{port}{path} {key}")
}
