//! Settings of the health daemon.

mod groups;
mod machine;
mod sources;
mod targets;

pub use groups::{GroupRaw, LimitsRaw};
pub(crate) use machine::readable;
pub use targets::{ProbeRaw, TargetRaw};

use crate::allow::Allow;
use crate::board::{Group, Plan};
use crate::dns;
use crate::probe;
use crate::zone::Zone;
use hickory_proto::rr::Name;
use maidenlane_chain::{Address, B256};
use maidenlane_config::feed::FeedRaw;
use maidenlane_config::listeners::collide;
use maidenlane_config::shapes::{self, AdminRaw, ChainRaw, LoggingRaw};
use maidenlane_config::{Checker, StaticType};
use serde::Deserialize;
use std::net::SocketAddr;
use std::time::Duration;
use targets::Feeds;

/// Most accounts whose state is compared.
const ACCOUNTS_MAX: usize = 16;

/// Settings as written in Dhall.
#[derive(Clone, Debug, Deserialize, StaticType)]
#[expect(non_snake_case, reason = "the names of the Dhall fields")]
pub struct HealthRaw {
    /// The chain; a target of another one is down.
    pub chain: ChainRaw,
    /// Time between two blocks, from which limits follow that are not set.
    pub blockTime_ms: u64,
    /// Log of feeds, for targets that are feeds; one of them is named here.
    pub feed: Option<FeedRaw>,
    /// Groups of targets.
    pub groups: Vec<GroupRaw>,
    /// Accounts whose balances are compared at the same block, beside the one that the block paid.
    pub accounts: Vec<String>,
    /// Listener for balancers and people over HTTP.
    pub http: AdminRaw,
    /// Listener for haproxy's agent-check.
    pub agent: AdminRaw,
    /// Zone of who serves, for resolvers; `None` for none.
    pub dns: Option<DnsRaw>,
    /// Prefixes of addresses that are answered there, such as `10.0.0.0/8`; loopback always is.
    pub allow: Vec<String>,
    /// Admin listener.
    pub admin: AdminRaw,
    /// Logging.
    pub logging: LoggingRaw,
    /// Directory of the daemon's own files.
    pub stateDir: String,
}

/// Zone of who serves.
#[derive(Clone, Debug, Deserialize, StaticType)]
#[expect(non_snake_case, reason = "the names of the Dhall fields")]
pub struct DnsRaw {
    /// Name of the zone.
    pub zone: String,
    /// `address:port`, over UDP and TCP.
    pub listen: String,
    /// True where a proxy or a firewall decides who reaches an address that is not loopback.
    pub behindProxy: bool,
    /// Time for which resolvers may keep answers.
    pub ttl_s: u64,
}

/// Validated [`HealthRaw`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Hash of block 0, if it is named.
    pub genesis: Option<B256>,
    /// Time between two blocks.
    pub block_time: Duration,
    /// Groups.
    pub groups: Vec<Group>,
    /// Targets, with the ways to look at them.
    pub targets: Vec<probe::Settings>,
    /// Accounts whose balances are compared.
    pub accounts: Vec<Address>,
    /// Address of the HTTP listener.
    pub http: SocketAddr,
    /// Address of the listener for agent-checks.
    pub agent: SocketAddr,
    /// Zone for resolvers.
    pub dns: Option<dns::Settings>,
    /// Clients that are answered.
    pub allow: Allow,
    /// Settings that every daemon has.
    pub daemon: shapes::Daemon,
}

impl maidenlane_config::Settings for Settings {
    type Raw = HealthRaw;

    const RELOADS: &'static [&'static str] = &["logging.filter"];

    const EXAMPLES: &'static [&'static str] = &[
        include_str!("../../../dhall/examples/full/health.dhall"),
        include_str!("../../../dhall/examples/full/replica.dhall"),
        include_str!("../../../dhall/examples/full/emitter.dhall"),
    ];

    fn validate(raw: HealthRaw, checker: &mut Checker) -> Option<Self> {
        let name = checker.inside("chain", |checker| shapes::word("name", &raw.chain.name, checker));
        let genesis = genesis(&raw.chain, checker);
        if raw.chain.id == 0 {
            checker.inside("chain", |checker| {
                checker.wrong("id", "expected the EIP-155 id of the chain, 1 for mainnet, found 0");
            });
        }
        let block_time = shapes::millis("blockTime_ms", raw.blockTime_ms, 50..=3_600_000, checker);
        let feeds = Feeds { chain: &raw.chain.name, of: raw.feed.as_ref() };
        let guarded = !raw.allow.is_empty();
        let dns = match &raw.dns {
            Some(raw) => checker.inside("dns", |checker| zone(raw, guarded, checker)).map(Some),
            None => Some(None),
        };
        let zone = dns.as_ref().and_then(Option::as_ref).map(|dns| &dns.zone.name);
        let found = groups::groups(raw.groups, block_time, (&feeds, zone), checker);
        let accounts = accounts(&raw.accounts, checker);
        let allow = checker.take("allow", Allow::parse(&raw.allow));
        let mut listen = |field: &str, at: &AdminRaw| {
            checker.inside(field, |checker| {
                shapes::listen("listen", &at.listen, at.behindProxy || guarded, checker)
            })
        };
        let (http, agent) = (listen("http", &raw.http), listen("agent", &raw.agent));
        let daemon = shapes::daemon(&raw.admin, raw.logging, &raw.stateDir, checker);
        let bound = [
            ("http", http),
            ("agent", agent),
            ("dns", dns.as_ref().and_then(|dns| Some(dns.as_ref()?.listen))),
            ("admin", daemon.as_ref().map(|daemon| daemon.admin)),
        ];
        apart(&bound, checker);
        let _ = name?;
        let (groups, targets) = found?;
        Some(Self {
            chain_id: raw.chain.id,
            genesis: genesis?,
            block_time: block_time?,
            groups,
            targets,
            accounts: accounts?,
            http: http?,
            agent: agent?,
            dns: dns?,
            allow: allow?,
            daemon: daemon?,
        })
    }

    fn on_machine(&self, checker: &mut Checker) {
        machine::on_machine(self, checker);
    }
}

/// Refuses two listeners of which only one can be bound.
fn apart(bound: &[(&str, Option<SocketAddr>)], checker: &mut Checker) {
    let all = || bound.iter().filter_map(|(name, at)| Some((*name, (*at)?)));
    for (index, (name, at)) in all().enumerate() {
        if let Some((other, taken)) = all().take(index).find(|(_, before)| collide(*before, at)) {
            let text = format_args!(
                "{other} binds {taken} already: {at} cannot be bound beside it, take another port"
            );
            checker.wrong(&format!("{name}.listen"), text);
        }
    }
}

fn genesis(raw: &ChainRaw, checker: &mut Checker) -> Option<Option<B256>> {
    let Some(text) = &raw.genesis else { return Some(None) };
    let parsed = text.parse().map_err(|_| format!("expected a hash, 0x and 64 digits, found `{text}`"));
    checker.inside("chain", |checker| checker.take("genesis", parsed)).map(Some)
}

fn zone(raw: &DnsRaw, guarded: bool, checker: &mut Checker) -> Option<dns::Settings> {
    let name = Name::from_ascii(raw.zone.to_ascii_lowercase()).map(|mut name| {
        name.set_fqdn(true);
        name
    });
    let name = match name {
        Ok(name) if name.is_root() => {
            Err("expected a zone of yours, `nodes.example`, found that of everything".to_owned())
        }
        Ok(name) => Ok(name),
        Err(error) => Err(format!("`{}` is no name of a zone: {error}", raw.zone)),
    };
    let name = checker.take("zone", name);
    let listen = shapes::listen("listen", &raw.listen, raw.behindProxy || guarded, checker);
    let ttl_s = checker.within("ttl_s", raw.ttl_s, 1..=3_600);
    Some(dns::Settings { zone: Zone { name: name?, ttl_s: ttl_s? }, listen: listen? })
}

fn accounts(raw: &[String], checker: &mut Checker) -> Option<Vec<Address>> {
    if raw.len() > ACCOUNTS_MAX {
        checker.wrong("accounts", format_args!("expected at most {ACCOUNTS_MAX}, found {}", raw.len()));
        return None;
    }
    let each = raw.iter().enumerate().map(|(index, text)| {
        let parsed =
            text.parse().map_err(|_| format!("expected an address, 0x and 40 digits, found `{text}`"));
        checker.take(&format!("accounts[{index}]"), parsed)
    });
    let each: Vec<Option<Address>> = each.collect();
    each.into_iter().collect()
}

impl Settings {
    /// Plan of the board.
    #[must_use]
    pub fn plan(&self) -> Plan {
        Plan {
            chain_id: self.chain_id,
            genesis: self.genesis,
            block_time: self.block_time,
            groups: self.groups.clone(),
            targets: self.targets.iter().map(|target| target.target.clone()).collect(),
        }
    }
}
