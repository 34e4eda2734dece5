//! Settings for daemons under test: Dhall text with everything on loopback and port 0.

use std::path::Path;

/// How the feed is carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Log {
    /// Segment files below this directory.
    Segment(std::path::PathBuf),
    /// Brokers at these addresses, with commas.
    Kafka(String),
}

/// First part of every topic's name.
pub const PREFIX: &str = "maidenlane";
/// The chain's name in topic names.
pub const CHAIN: &str = "test";
/// The only feed.
pub const FEED: &str = "a";

/// The name of the feed's topic.
#[must_use]
pub fn topic() -> String {
    format!("{PREFIX}.{CHAIN}.{FEED}.blocks")
}

/// The name of the topic of transactions that replicas took.
#[must_use]
pub fn transactions_topic() -> String {
    format!("{PREFIX}.{CHAIN}.transactions")
}

/// The name of the topic of its trie nodes.
#[must_use]
pub fn proofs_topic() -> String {
    format!("{PREFIX}.{CHAIN}.{FEED}.proofs")
}

fn log(log: &Log) -> String {
    let sasl = "{ mechanism : < Plain | ScramSha256 | ScramSha512 >, password : Text, user : Text }";
    let tls = "{ ca : Optional Text, certificate : Optional Text, key : Optional Text }";
    let kafka = format!("{{ brokers : List Text, sasl : Optional {sasl}, tls : Optional {tls} }}");
    let types = format!("< Kafka : {kafka} | Segment : {{ dir : Text }} >");
    match log {
        Log::Segment(dir) => format!("{types}.Segment {{ dir = {} }}", text(dir)),
        Log::Kafka(brokers) => {
            let brokers = brokers.replace(',', "\", \"");
            let kafka = format!("brokers = [ \"{brokers}\" ], sasl = None {sasl}, tls = None {tls}");
            format!("{types}.Kafka {{ {kafka} }}")
        }
    }
}

/// Settings of chain, feed and admin listener that tap and replica share.
fn shared(chain_id: u64, carrier: &Log, state: &Path) -> String {
    format!(
        ", chain = {{ name = \"{CHAIN}\", id = {chain_id}, genesis = None Text }}\n\
         , feed = {{ prefix = \"{PREFIX}\", name = \"{FEED}\", log = {} }}\n\
         , admin = {{ listen = \"127.0.0.1:0\", behindProxy = False }}\n\
         , logging = {{ filter = \"info\", json = False }}\n\
         , stateDir = {}\n",
        log(carrier),
        text(state),
    )
}

/// A tap's settings.
#[must_use]
pub fn tap(spool: &Path, ipc: &Path, chain_id: u64, carrier: &Log, state: &Path) -> String {
    format!(
        "{{ spool = {}\n, ipc = {}\n{}, begin = < Genesis | Spool | UnsafeSpool >.Genesis\n, proofs = False\n, pool = False\n, auditKeys = 4\n, heartbeat_ms = 250\n, keepDepth = 90000\n}}\n",
        text(spool),
        text(ipc),
        shared(chain_id, carrier, state),
    )
}

/// A tap's settings for a master that was synced without the hook: the feed begins where the spool does.
#[must_use]
pub fn adopting(tap: &str) -> String {
    tap.replace(">.Genesis", ">.Spool")
}

/// An emitter's settings with routes, as Dhall.
#[must_use]
pub fn routed(emitter: &str, routes: &str) -> String {
    emitter.replace(NO_ROUTES, routes)
}

/// A tap's settings with trie nodes published, or a replica's with all of them kept.
#[must_use]
pub fn proving(settings: &str) -> String {
    let kept = "proofs = Some (< All | Blocks : Natural >.All)";
    settings
        .replace("proofs = False", "proofs = True")
        .replace("proofs = None < All | Blocks : Natural >", kept)
}

/// Everything to everybody on this machine.
const LISTENER: &str = "{ name = \"rpc\", listen = \"127.0.0.1:0\", socketMode = \"0600\", behindProxy = False, http = True\n\
    \x20   , webSocket = True, namespaces = [ \"eth\", \"net\", \"web3\", \"txpool\", \"debug\", \"trace\", \"ethercattle\", \"maidenlane\" ]\n\
    \x20   , origins = [] : List Text, hosts = [ \"localhost\" ]\n\
    \x20   , tls = None { certificate : Text, clientCa : Optional Text, key : Text }\n\
    \x20   , access = [] : List { name : Text, proof : < Bearer : Text | Certificate : Text | Jwt : Text >\n\
    \x20     , namespaces : Optional (List Text), maySend : Bool, seesAll : Bool, tag : Optional Text, callsPerSecond : Optional Natural, requests_MB_per_min : Optional Natural } }";

/// Type of the settings of a back-fill.
const BACKFILL: &str =
    "{ from : Natural, rate_kBps : Natural, sources : List < Era : Text | Export : Text | Node : Text > }";

/// A replica's settings, with every bound generous enough that only a defect reaches it.
#[must_use]
pub fn replica(chain_id: u64, carrier: &Log, state: &Path) -> String {
    format!(
        "{{ rpc =\n\
         \x20 {{ listeners = [ {LISTENER} ], methodTimeouts = [] : List {{ method : Text, timeout_ms : Natural }}\n\
         \x20 , bodyMax_bytes = 5242880, batchMax = 1000, responseMax_bytes = 160000000\n\
         \x20 , connectionsMax = 200, readTimeout_ms = 30000, answerTimeout_ms = 30000, drain_ms = 2000\n\
         \x20 , writeTimeout_ms = 30000, ping_ms = 30000, messagesMax = 16, subscriptionsMax = 1000\n\
         \x20 , callGasCap = 50000000, callTimeout_ms = 5000, callInline_us = 100, poolThreads = None Natural\n\
         \x20 , poolQueue = 1024, logsMax = 100000, codeCache_MB = 64, blockCache_MB = 64 }}\n{}\
         , transactions = < Accept : {{ answer : < Stored | Verdict : {{ wait_ms : Natural }} >, group : Text, retention_h : Natural, waitingMax : Natural, waitingMax_MB : Natural }} | Refuse >.Refuse\n\
         , filters = < Off | Own | Shared : Text >.Own\n\
         , snapshots = {{ sources = [] : List {REPOSITORY}, target = None {REPOSITORY}\n\
         \x20 , maxRate_MB_per_s = None Natural, dueBelow_percent = 50 }}\n\
         , history = < All | Blocks : Natural >.All\n\
         , proofs = None < All | Blocks : Natural >\n\
         , outcomes = None {{ keep_h : Natural }}\n\
         , pool = None {{ max_MB : Natural }}\n\
         , backfill = None {BACKFILL}\n\
         , undoBlocks = 90000\n, maxLagBlocks = 2\n, maxSilence_ms = 15000\n\
         , maxHeadAge_s = None Natural\n, storeCache_MB = 64\n}}\n",
        shared(chain_id, carrier, state),
    )
}

/// A replica's settings with transactions taken, for the consumer group `emitter`, and what becomes of them.
#[must_use]
pub fn taking(replica: &str) -> String {
    let accept = "Accept { group = \"emitter\", retention_h = 1, waitingMax = 10000, waitingMax_MB = 1000\n\
                  \x20 , answer = < Stored | Verdict : { wait_ms : Natural } >.Stored }";
    replica
        .replace("Refuse >.Refuse", &format!("Refuse >.{accept}"))
        .replace("None { keep_h : Natural }", "Some { keep_h = 1 }")
}

/// The same with so many of one sender's that may wait for a node.
#[must_use]
pub fn sparing(replica: &str, waiting_max: u64) -> String {
    replica.replace("waitingMax = 10000", &format!("waitingMax = {waiting_max}"))
}

/// Type of what lets a client in.
const CREDENTIAL: &str = "< Bearer : Text | Jwt : Text | Path : Text >";

/// Routes of an emitter that sends everything everywhere.
const NO_ROUTES: &str = "[] : List { name : Text, redundancy : Optional Natural, senders : List Text, tags : List Text, \
                         upstreams : List Text }";

/// An emitter's settings: member of the group `emitter`, with nodes by name and address, impatient enough for tests.
#[must_use]
pub fn emitter(chain_id: u64, carrier: &Log, state: &Path, nodes: &[(&str, &str)]) -> String {
    let node = |(name, address): &(&str, &str)| {
        format!(
            "{{ name = \"{name}\", address = {}, credential = None {CREDENTIAL}, ca = None Text\n\
             \x20   , timeout_ms = 2000, queueMax = 1024, lanes = 8, perSecond = None Natural }}",
            text(Path::new(address))
        )
    };
    let nodes: Vec<_> = nodes.iter().map(node).collect();
    format!(
        "{{ group = \"emitter\", upstreams = [ {} ], routes = {NO_ROUTES}\n{}\
         , lifetime_s = 600\n, hold_s = 5\n, againBlocks = 2\n, again_s = 5\n, retention_h = 1\n\
         , pendingMax = 10000\n, pendingMax_MB = 64\n, maxSilence_ms = 15000\n}}\n",
        nodes.join(", "),
        shared(chain_id, carrier, state),
    )
}

/// A relay's settings: a listener `rpc` for whoever signs, a listener `known` for those who hold the tokens in these files, the
/// builder `one`, which pulls as the identity `builder`, the builder `two`, which does not, and builders by name and address that
/// orders are sent to, signed with the key in this file. A replica answers wallets.
#[must_use]
pub fn relay(
    chain_id: u64,
    carrier: &Log,
    state: &Path,
    (keyring, key): (&Path, &Path),
    identities: &[(&str, &Path)],
    builders: &[(&str, &str)],
    replica: &str,
) -> String {
    let known = |(name, token): &(&str, &Path)| {
        format!(
            "{{ name = \"{name}\", proof = < Bearer : Text | Certificate : Text | Jwt : Text >.Bearer {}, namespaces = None (List Text)\n\
             \x20     , maySend = True, seesAll = False, tag = None Text, callsPerSecond = None Natural, requests_MB_per_min = None Natural }}",
            text(token)
        )
    };
    let known: Vec<_> = identities.iter().map(known).collect();
    let open = LISTENER.replace("\"debug\", \"trace\"", "\"flashbots\", \"mev\"");
    let (before, after) = open.split_once("access = ").unwrap_or_default();
    let after = after.split_once("Natural }").map_or("", |(_, after)| after);
    let guarded = format!("{before}access = [ {} ]{after}", known.join(", ")).replace("\"rpc\"", "\"known\"");
    let pushed = |(name, address): &(&str, &str)| {
        format!(
            ", {{ name = \"{name}\", pulls = None Text, push = Some {{ address = {}, dialect = < BuilderNet | Flashbots | Titan >.Flashbots\n\
             \x20   , key = Some {}, credential = None {CREDENTIAL}, ca = None Text, timeout_ms = 1000, lanes = 8\n\
             \x20   , ahead = 50, wantsKey = True, perSecond = None Natural, txsMax = Some 100, orderMax_kB = Some 300, dryRun = False }} }}",
            text(Path::new(address)),
            text(key),
        )
    };
    let pushed: String = builders.iter().map(pushed).collect();
    let nowhere = format!(
        "None {{ address : Text, ahead : Natural, ca : Optional Text, credential : Optional {CREDENTIAL}\n\
         \x20   , dialect : < BuilderNet | Flashbots | Titan >, key : Optional Text, lanes : Natural, timeout_ms : Natural\n\
         \x20   , wantsKey : Bool, perSecond : Optional Natural, txsMax : Optional Natural, orderMax_kB : Optional Natural, dryRun : Bool }}"
    );
    format!(
        "{{ keyring = {}, listeners = [ {open}, {guarded} ], enrols = [ \"known\" ]\n\
         , builders = [ {{ name = \"one\", pulls = Some \"builder\", push = {nowhere} }}, {{ name = \"two\", pulls = None Text, push = {nowhere} }}{pushed} ]\n{}\
         , wallets = Some {{ replica = {}, credential = None {CREDENTIAL}, ca = None Text, timeout_ms = 5000 }}\n\
         , simulation = {{ threads = 2, queue = 1000, timeout_ms = 5000, accountMgas_per_s = 10000, blockTime_s = 12\n\
         \x20 , failed = < Hold | Send >.Send, codeCache_MB = 16, resultCache_MB = 16 }}\n\
         , mempoolAfterBlocks = None Natural\n\
         , bodyMax_MB = 20\n, orderMax_MB = 10\n, ordersMax = 10000\n, ordersMax_MB = 100\n, accountMax_MB = 50\n\
         , aheadMax = 1000\n, repeat_s = 3600\n, undoBlocks = 90000\n, maxLagBlocks = 2\n, maxSilence_ms = 15000\n\
         , storeCache_MB = 64\n}}\n",
        text(keyring),
        shared(chain_id, carrier, state),
        text(Path::new(replica)),
    )
}

/// A target of a health checker: kind, as the union in Dhall has it, and addresses.
#[derive(Debug, Clone)]
pub struct Target {
    /// Name.
    pub name: String,
    /// `Replica`, `Node`, `Daemon`, `Beacon` or `Feed`.
    pub kind: &'static str,
    /// Address of what is asked, or the name of the feed.
    pub address: String,
    /// Address of the admin listener.
    pub admin: Option<String>,
    /// Feed that it follows, or of which it is the master.
    pub feed: Option<&'static str>,
    /// Address for clients.
    pub serves: Option<String>,
}

/// Time between two blocks of a chain that a health checker watches: of those on demand, as fast as tests ask for them.
pub const BLOCK_MS: u64 = 1_000;

/// A health checker's settings, with the times that are shipped: replicas in a group `rpc`, the others in one beside it.
#[must_use]
pub fn health(chain_id: u64, carrier: &Log, state: &Path, targets: &[Target]) -> String {
    let optional =
        |value: Option<&str>| value.map_or("None Text".to_owned(), |value| format!("Some \"{value}\""));
    let target = |one: &Target| {
        let Target { name, kind, address, admin, feed, serves } = one;
        let [admin, feed, serves] = [admin.as_deref(), *feed, serves.as_deref()].map(optional);
        format!(
            "M.Target::{{ name = \"{name}\", probe = M.Probe.{kind} \"{address}\", admin = {admin}, feed = {feed}\n\
             \x20     , serves = {serves} }}"
        )
    };
    let group = |name: &str, replicas: bool| {
        let of = targets.iter().filter(|target| (target.kind == "Replica") == replicas);
        let targets: Vec<_> = of.map(target).collect();
        let limits = "M.Limits::{ mayHalt = True, peersMin = 0, diskFree_percent = 0, diskLeft_h = 0 }";
        let group = format!(
            "M.Group::{{ name = \"{name}\", limits = {limits}\n  , targets = [ {} ] }}",
            targets.join("\n    , ")
        );
        (!targets.is_empty()).then_some(group)
    };
    let groups: Vec<_> = [group("rpc", true), group("others", false)].into_iter().flatten().collect();
    let free = "M.Admin::{ listen = \"127.0.0.1:0\" }";
    format!(
        "let M = {}\nin M.Health::{{ chain = M.Chain::{{ name = \"{CHAIN}\", id = {chain_id} }}\n\
         , feed = Some {{ prefix = \"{PREFIX}\", name = \"{FEED}\", log = {} }}\n\
         , blockTime_ms = {BLOCK_MS}\n, groups = [ {} ]\n\
         , http = {free}\n, agent = {free}\n, admin = {free}\n\
         , dns = Some M.Dns::{{ zone = \"nodes.test\", listen = \"127.0.0.1:0\" }}\n, stateDir = {} }}\n",
        crate::product::root().join("dhall/package.dhall").display(),
        log(carrier),
        groups.join("\n  , "),
        text(state),
    )
}

/// A tap's settings with the master's pool published, or a replica's with it kept.
#[must_use]
pub fn pooling(settings: &str) -> String {
    settings
        .replace("pool = False", "pool = True")
        .replace("None { max_MB : Natural }", "Some { max_MB = 64 }")
}

/// Settings of a replica that takes transactions, where whoever sends one waits for a node's verdict.
#[must_use]
pub fn judging(replica: &str) -> String {
    replica.replace("Natural } >.Stored", "Natural } >.Verdict { wait_ms = 10000 }")
}

/// A replica's settings with filters that are known to all who have this key.
#[must_use]
pub fn sharing(replica: &str, key: &Path) -> String {
    replica.replace("Shared : Text >.Own", &format!("Shared : Text >.Shared {}", text(key)))
}

/// A replica's settings with a back-fill down to a block, at a rate, from these sources: kinds and paths.
#[must_use]
pub fn backfilling(replica: &str, from: u64, rate_kbps: u64, sources: &[(&str, &Path)]) -> String {
    let source = |(kind, path): &(&str, &Path)| {
        format!("< Era : Text | Export : Text | Node : Text >.{kind} {}", text(path))
    };
    let sources: Vec<_> = sources.iter().map(source).collect();
    let fields = format!("from = {from}, rate_kBps = {rate_kbps}, sources = [ {} ]", sources.join(", "));
    replica.replace(&format!("None {BACKFILL}"), &format!("Some {{ {fields} }}"))
}

/// A replica's settings with a repository of snapshots that it begins from and sends to.
#[must_use]
pub fn keeping(replica: &str, repository: &Path) -> String {
    keeping_in(replica, &format!("{REPOSITORY}.Directory {}", text(repository)))
}

/// The same with a bucket of a store of this machine.
#[must_use]
pub fn keeping_in_bucket(replica: &str, endpoint: &str, bucket: &str, key_id: &str, secret: &Path) -> String {
    let secret = text(secret);
    let bucket = format!(
        "{{ endpoint = \"{endpoint}\", region = \"us-east-1\", bucket = \"{bucket}\", prefix = \"test\", keyId = \"{key_id}\", secret = {secret}, ca = None Text }}"
    );
    keeping_in(replica, &format!("{REPOSITORY}.S3 {bucket}"))
}

fn keeping_in(replica: &str, place: &str) -> String {
    sending_to(replica, place).replace(&format!("[] : List {REPOSITORY}"), &format!("[ {place} ]"))
}

/// A replica's settings with a directory that takes its snapshots, and from which it begins with none.
#[must_use]
pub fn sending(replica: &str, repository: &Path) -> String {
    sending_to(replica, &format!("{REPOSITORY}.Directory {}", text(repository)))
}

/// Settings with a bound on what making and fetching snapshots takes of the disk.
#[must_use]
pub fn paced(replica: &str, rate_mb_per_s: u64) -> String {
    let (unset, set) =
        ("maxRate_MB_per_s = None Natural", format!("maxRate_MB_per_s = Some {rate_mb_per_s}"));
    replica.replace(unset, &set)
}

fn sending_to(replica: &str, place: &str) -> String {
    replica.replace(&format!("None {REPOSITORY}"), &format!("Some ({place})"))
}

/// Type of a repository of snapshots.
const REPOSITORY: &str = "< Directory : Text | S3 : { bucket : Text, ca : Optional Text, endpoint : Text, keyId : Text, prefix : Text, region : Text, secret : Text } >";

/// A path as a Dhall text.
fn text(path: &Path) -> String {
    format!(
        "\"{}\"",
        path.display().to_string().replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_cannot_break_out_of_their_text() {
        assert_eq!(text(Path::new("/a\"b${c}")), r#""/a\"b\${c}""#);
    }
}
