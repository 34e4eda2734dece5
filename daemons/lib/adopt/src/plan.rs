//! Plan of an adoption, for people: each step, how long it takes, and how to go back. Nothing is touched for it, and geth
//! may run.

use crate::adoption::Adoption;
use crate::copy::{self, Sizes};
use crate::error::Error;
use crate::facts::{Facts, Objection, Rewind, objections};
use crate::way::{Scheme, Way};
use alloy::primitives::{U64, U256};
use maidenlane_bootstrap::master::Master;
use maidenlane_chain::{B256, Bytes};
use serde_json::{Value, json};
use std::fmt;

/// Blocks of a running node that are looked through for the one whose state is on its disk.
const LOOKED_AT: u64 = 2_000;
/// Rate at which files are taken to be copied, in bytes per second: a slow SSD.
const COPY_BYTES_PER_S: u64 = 200_000_000;
/// Rate at which blocks are taken to be executed, in gas per second: a slow core.
const GAS_PER_S: u64 = 50_000_000;

/// A plan.
#[derive(Clone, Debug)]
pub struct Plan {
    adoption: Adoption,
    /// Of the first copy.
    sizes: Sizes,
    copied_bytes: u64,
    free_bytes: u64,
    /// The node, if it runs.
    node: Option<Running>,
    /// Blocks that are executed again, if it runs.
    again: Option<Above>,
    /// Objections to it.
    pub objections: Vec<Objection>,
}

/// A node that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Running {
    version: String,
    syncing: bool,
    head: u64,
    flat: bool,
    above: Option<Above>,
}

/// Blocks above the one whose state is on the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Above {
    blocks: u64,
    gas: u64,
}

impl Plan {
    /// Plan for a node, which is asked if it runs.
    ///
    /// # Errors
    /// When its data cannot be looked at, or it does not answer.
    pub fn of(adoption: &Adoption, node: Option<&Master>) -> Result<Self, Error> {
        let node = node.map(Running::ask).transpose()?;
        let Adoption { data_dir, work, way, .. } = adoption;
        let again = node.as_ref().and_then(|node| Above::down_to(way.feed_head(), node.head, node.above?));
        let (cut, gas) = again.map_or((0, 0), |again| (again.blocks, again.gas));
        let listing = data_dir.list()?;
        let sizes = copy::sizes(&listing, work, 0)?;
        let others_bytes = match way.copies() {
            1 => 0,
            _ => copy::sizes(&listing, work, cut)?.own_bytes,
        };
        let copied_bytes = sizes.own_bytes.saturating_add(others_bytes);
        let stopped = Facts { copied_bytes, ..adoption.facts(gas)? };
        let free_bytes = stopped.free_bytes;
        let facts = match &node {
            None => stopped,
            Some(node) => Facts {
                // Of its last stop, if there is one.
                journal: None,
                flat: Some(node.flat),
                syncing: Some(node.syncing),
                node_version: Some(node.version.clone()),
                rewind: match (again, node.above) {
                    (Some(again), Some(above))
                        if again.blocks > above.blocks && data_dir.scheme() == Scheme::Path =>
                    {
                        Some(Rewind { needed: again.blocks - above.blocks, kept: data_dir.differences()? })
                    }
                    _ => None,
                },
                ..stopped
            },
        };
        let objections = objections(&facts);
        Ok(Self { adoption: adoption.clone(), sizes, copied_bytes, free_bytes, node, again, objections })
    }

    /// Steps, in order.
    fn steps(&self) -> Vec<Step> {
        let Adoption { data_dir, hook, way, .. } = &self.adoption;
        let go_back = "start geth as it was, and remove the work directory";
        let flags = format!("--vmtrace maidenlane --vmtrace.jsonconfig '{hook}'");
        let mut steps = vec![
            Step::by_hand(
                format!("give geth's service {flags}, and do not restart it"),
                "take them out again",
            ),
            Step::by_hand(
                "stop geth, cleanly (`systemctl stop geth`); its downtime begins".to_owned(),
                go_back,
            ),
            Step::by_hand("repeat this command without --plan: it does what follows".to_owned(), go_back),
            Step {
                what: format!("copy {} {} times", data_dir.path().display(), way.copies()),
                takes: Some(seconds(self.copied_bytes, COPY_BYTES_PER_S)),
                ..Step::by_command(go_back)
            },
        ];
        if *way != Way::Dump {
            let (blocks, takes) = match self.again {
                Some(Above { blocks, gas }) => (format!("{blocks} blocks"), Some(seconds(gas, GAS_PER_S))),
                None => ("some hundred blocks".to_owned(), None),
            };
            let what = format!("execute {blocks} once more in a copy, with the hook");
            steps.push(Step { what, takes, ..Step::by_command(go_back) });
        }
        let without = "start geth without these flags; frames in the spool harm nobody";
        steps.push(Step::by_hand(
            "start geth when this command says so; its downtime ends".to_owned(),
            without,
        ));
        if let Some(feed_head) = way.feed_head() {
            let what = format!("start the tap of the feed on this node: it goes on behind block {feed_head}");
            steps.push(Step::by_hand(what, "stop the tap"));
            return steps;
        }
        steps.extend([
            Step {
                what: format!("export the state from a copy, to {}", self.adoption.work.display()),
                takes: Some("minutes to hours, while geth runs".to_owned()),
                ..Step::by_command("remove the work directory")
            },
            Step::by_hand(
                "`maidenlane replica import`, as this command says in the end".to_owned(),
                "remove the replica's `stateDir`",
            ),
        ]);
        steps
    }
}

struct Step {
    by_hand: bool,
    what: String,
    takes: Option<String>,
    back: &'static str,
}

impl Step {
    const fn by_hand(what: String, back: &'static str) -> Self {
        Self { by_hand: true, what, takes: None, back }
    }

    const fn by_command(back: &'static str) -> Self {
        Self { by_hand: false, what: String::new(), takes: None, back }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Adoption { data_dir, work, .. } = &self.adoption;
        let scheme = match data_dir.scheme() {
            Scheme::Hash => "by hash",
            Scheme::Path => "by path",
        };
        write!(f, "{}: geth's data, state {scheme}", data_dir.path().display())?;
        match &self.node {
            None => writeln!(f, "; geth is stopped")?,
            Some(node) => {
                write!(f, "; geth {} runs at block {}", node.version, node.head)?;
                match node.above {
                    Some(above) => writeln!(f, ", its disk {} blocks behind", above.blocks)?,
                    None => writeln!(f)?,
                }
            }
        }
        writeln!(
            f,
            "{}: a copy shares {} with that, and takes {}; {} are free",
            work.display(),
            megabytes(self.sizes.shared_bytes),
            megabytes(self.sizes.own_bytes),
            megabytes(self.free_bytes)
        )?;
        for (number, step) in (1..).zip(self.steps()) {
            let by = if step.by_hand { "by hand: " } else { "" };
            write!(f, "{number}. {by}{}", step.what)?;
            if let Some(takes) = &step.takes {
                write!(f, " ({takes})")?;
            }
            writeln!(f, "\n   to go back: {}", step.back)?;
        }
        for objection in &self.objections {
            writeln!(f, "In the way: {objection}")?;
        }
        Ok(())
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1_000_000))
}

fn seconds(amount: u64, per_s: u64) -> String {
    format!("about {} s", amount.div_ceil(per_s).max(1))
}

impl Running {
    fn ask(node: &Master) -> Result<Self, Error> {
        let version: String = node.call("web3_clientVersion", json!([]))?;
        let syncing: Value = node.call("eth_syncing", json!([]))?;
        let head = node.call::<U64>("eth_blockNumber", json!([]))?.to();
        let generator: Option<Bytes> = node.call("debug_dbGet", json!(["SnapshotGenerator"])).ok();
        let root: Option<B256> = node.call("debug_dbGet", json!(["SnapshotRoot"])).ok();
        Ok(Self {
            version: client_version(&version).to_owned(),
            syncing: syncing != Value::Bool(false),
            head,
            flat: generator.is_some_and(|generator| is_done(&generator)),
            above: root.map(|root| Above::ask(node, head, root)).transpose()?.flatten(),
        })
    }
}

impl Above {
    /// The same from the newest block of a feed on, if that is below what is on the disk; gas is taken as above.
    fn down_to(feed_head: Option<u64>, head: u64, above: Self) -> Option<Self> {
        let blocks = feed_head.map_or(0, |number| head.saturating_sub(number)).max(above.blocks);
        let gas = above.gas.saturating_mul(blocks).checked_div(above.blocks).unwrap_or_default();
        Some(Self { blocks, gas })
    }

    /// Looks for the newest block with a state root.
    fn ask(node: &Master, head: u64, root: B256) -> Result<Option<Self>, Error> {
        let mut above = Self::default();
        for number in (head.saturating_sub(LOOKED_AT)..=head).rev() {
            let block: Value = node.call("eth_getBlockByNumber", json!([format!("{number:#x}"), false]))?;
            if block.get("stateRoot").and_then(Value::as_str) == Some(root.to_string().as_str()) {
                return Ok(Some(above));
            }
            let gas = block.get("gasUsed").and_then(Value::as_str).and_then(|gas| gas.parse::<U256>().ok());
            above.gas = above.gas.saturating_add(gas.unwrap_or_default().saturating_to());
            above.blocks = above.blocks.saturating_add(1);
        }
        Ok(None)
    }
}

/// Version in `Geth/v1.17.5-stable-abcdef01/linux-amd64/go1.24`.
fn client_version(client: &str) -> &str {
    let version = client.split('/').find(|part| part.starts_with('v')).unwrap_or(client);
    version.trim_start_matches('v')
}

/// True if geth's record of its flat state, `[wiping, done, …]` in RLP, says that it is whole.
fn is_done(generator: &[u8]) -> bool {
    const TRUE: u8 = 1;
    let mut after = generator;
    let list = alloy::rlp::Header::decode_bytes(&mut after, true).ok();
    list.and_then(|fields| fields.get(1)) == Some(&TRUE)
}

#[cfg(test)]
mod tests {
    use super::{Above, client_version, is_done};

    #[test]
    fn a_feed_that_ends_below_the_disk_takes_more_blocks() {
        let above = Above { blocks: 100, gas: 2_000 };
        let down_to = |feed_head| Above::down_to(feed_head, 1_000, above);
        assert_eq!((down_to(None), down_to(Some(950))), (Some(above), Some(above)));
        assert_eq!(down_to(Some(700)), Some(Above { blocks: 300, gas: 6_000 }));
    }

    #[test]
    fn a_client_tells_its_version() {
        assert_eq!(
            client_version("Geth/v1.17.5-stable-abcdef01/linux-amd64/go1.24"),
            "1.17.5-stable-abcdef01"
        );
        assert_eq!(client_version("Geth/mine/v1.17.5/linux-amd64/go1.24"), "1.17.5");
        assert_eq!(client_version("something"), "something");
    }

    #[test]
    fn flat_state_is_whole_when_geth_says_so() {
        assert!(is_done(&[0xc6, 0x80, 0x01, 0x80, 0x80, 0x80, 0x80]));
        assert!(!is_done(&[0xc6, 0x80, 0x80, 0x80, 0x05, 0x80, 0x80]));
        assert!(!is_done(&[]));
    }
}
