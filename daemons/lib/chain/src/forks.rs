//! The chain's fork schedule, from geth's chain config as JSON, and what of it this build implements.

use alloy::consensus::Header;
use alloy::eips::eip7840::BlobParams;
use alloy::genesis::ChainConfig;
use alloy::primitives::U256;
use serde_json::{Map, Value};

/// Forks by block number that this build implements, by their name in the config.
const KNOWN_BLOCKS: [&str; 15] = [
    "homestead",
    "daoFork",
    "eip150",
    "eip155",
    "eip158",
    "byzantium",
    "constantinople",
    "petersburg",
    "istanbul",
    "muirGlacier",
    "berlin",
    "london",
    "arrowGlacier",
    "grayGlacier",
    "mergeNetsplit",
];

/// Forks by time that this build implements. The bpo forks change blob parameters only.
const KNOWN_TIMES: [&str; 9] =
    ["shanghai", "cancun", "prague", "osaka", "bpo1", "bpo2", "bpo3", "bpo4", "bpo5"];

/// A set of execution rules. Glaciers, the netsplit and blob schedules change none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are Ethereum's")]
pub enum Fork {
    Frontier,
    Homestead,
    TangerineWhistle,
    SpuriousDragon,
    Byzantium,
    Constantinople,
    Petersburg,
    Istanbul,
    Berlin,
    London,
    Paris,
    Shanghai,
    Cancun,
    Prague,
    Osaka,
}

/// Point at which a fork takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// Block number from which on it is in effect.
    Block(u64),
    /// Block timestamp (Unix seconds) from which on it is in effect.
    Time(u64),
}

impl At {
    /// True for a block of this number and timestamp at or behind it.
    #[must_use]
    pub const fn is_reached(self, number: u64, time: u64) -> bool {
        match self {
            Self::Block(from) => from <= number,
            Self::Time(from) => from <= time,
        }
    }
}

/// One fork of the schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activation {
    /// Name in the config, without `Block` or `Time`.
    pub name: String,
    /// Point at which it takes effect.
    pub at: At,
    /// True if this build implements it.
    pub known: bool,
}

/// Fault of a chain config that cannot be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "fields are named in the texts")]
pub enum ForksError {
    /// Not geth's JSON.
    #[error("the chain config is not geth's JSON")]
    Json(#[from] serde_json::Error),
    /// A fork whose activation is not a number.
    #[error("the chain config has {value} for {key}, which should be a block number or a Unix time")]
    Activation { key: String, value: String },
}

/// A parsed chain config.
#[derive(Clone, Debug)]
pub struct Forks {
    config: ChainConfig,
    activations: Vec<Activation>,
}

impl Forks {
    /// Parses geth's chain config: the value of `config` in a genesis file, or what INIT and OPEN carry.
    ///
    /// # Errors
    /// When it is something else. An unknown fork is no error: see [`Forks::unknown`].
    pub fn parse(json: &str) -> Result<Self, ForksError> {
        let fields: Map<String, Value> = serde_json::from_str(json)?;
        let config = serde_json::from_str(json)?;
        let mut activations = Vec::new();
        for (key, value) in &fields {
            activations.extend(activation(key, value)?);
        }
        Ok(Self { config, activations })
    }

    /// EIP-155 chain id.
    #[must_use]
    pub const fn chain_id(&self) -> u64 {
        self.config.chain_id
    }

    /// All of the config that alloy knows.
    #[must_use]
    pub const fn config(&self) -> &ChainConfig {
        &self.config
    }

    /// All forks of the schedule, sorted by name in the config.
    #[must_use]
    pub fn activations(&self) -> &[Activation] {
        &self.activations
    }

    /// Forks that this build does not implement.
    pub fn unknown(&self) -> impl Iterator<Item = &Activation> {
        self.activations.iter().filter(|fork| !fork.known)
    }

    /// The unknown fork that rules a block, if one does: then nothing may be executed on it.
    #[must_use]
    pub fn unknown_at(&self, number: u64, time: u64) -> Option<&Activation> {
        self.unknown().find(|fork| fork.at.is_reached(number, time))
    }

    /// The next unknown fork to come after `time`, with the seconds until then, as a warning needs it. Forks by block
    /// number are not among them.
    #[must_use]
    pub fn unknown_after(&self, time: u64) -> Option<(&Activation, u64)> {
        let ahead = self.unknown().filter_map(|fork| match fork.at {
            At::Time(from) if from > time => Some((fork, from - time)),
            _ => None,
        });
        ahead.min_by_key(|(_, seconds)| *seconds)
    }

    /// Rules for the block with this header. Proof of stake shows in its difficulty.
    #[must_use]
    pub fn fork_of(&self, header: &Header) -> Fork {
        let reached = |from: Option<u64>, now: u64| from.is_some_and(|from| from <= now);
        let (config, number, time) = (&self.config, header.number, header.timestamp);
        if header.difficulty == U256::ZERO && reached(config.london_block, number) {
            let timed = [
                (config.osaka_time, Fork::Osaka),
                (config.prague_time, Fork::Prague),
                (config.cancun_time, Fork::Cancun),
                (config.shanghai_time, Fork::Shanghai),
            ];
            return timed
                .into_iter()
                .find(|(from, _)| reached(*from, time))
                .map_or(Fork::Paris, |(_, fork)| fork);
        }
        let numbered = [
            (config.london_block, Fork::London),
            (config.berlin_block, Fork::Berlin),
            (config.istanbul_block, Fork::Istanbul),
            // Without a Petersburg block of its own it comes with Constantinople.
            (config.petersburg_block.or(config.constantinople_block), Fork::Petersburg),
            (config.constantinople_block, Fork::Constantinople),
            (config.byzantium_block, Fork::Byzantium),
            (config.eip158_block, Fork::SpuriousDragon),
            (config.eip150_block, Fork::TangerineWhistle),
            (config.homestead_block, Fork::Homestead),
        ];
        numbered.into_iter().find(|(from, _)| reached(*from, number)).map_or(Fork::Frontier, |(_, fork)| fork)
    }

    /// Blob parameters of a block of this timestamp, as geth chooses them: the newest active fork that has any, of
    /// those that may have some (Osaka may not). From Osaka on blobs have a reserve price (EIP-7918).
    #[must_use]
    pub fn blobs_at(&self, time: u64) -> Option<BlobParams> {
        let config = &self.config;
        let active = |from: Option<u64>| from.is_some_and(|from| from <= time);
        let forks = [
            (config.bpo5_time, "bpo5"),
            (config.bpo4_time, "bpo4"),
            (config.bpo3_time, "bpo3"),
            (config.bpo2_time, "bpo2"),
            (config.bpo1_time, "bpo1"),
            (config.prague_time, "prague"),
            (config.cancun_time, "cancun"),
        ];
        let mut active_forks = forks.into_iter().filter(|(from, _)| active(*from));
        let params = active_forks.find_map(|(_, name)| config.blob_schedule.get(name).copied())?;
        let reserve = if active(config.osaka_time) { BlobParams::osaka().blob_base_cost } else { 0 };
        Some(params.with_blob_base_cost(reserve))
    }
}

fn activation(key: &str, value: &Value) -> Result<Option<Activation>, ForksError> {
    let (name, by_time) = match (key.strip_suffix("Block"), key.strip_suffix("Time")) {
        (Some(name), _) => (name, false),
        (None, Some(name)) => (name, true),
        (None, None) => return Ok(None),
    };
    if value.is_null() {
        return Ok(None);
    }
    let wrong = || ForksError::Activation { key: key.to_owned(), value: value.to_string() };
    let from = value.as_u64().ok_or_else(wrong)?;
    let (at, known) = if by_time {
        (At::Time(from), KNOWN_TIMES.contains(&name))
    } else {
        (At::Block(from), KNOWN_BLOCKS.contains(&name))
    };
    Ok(Some(Activation { name: name.to_owned(), at, known }))
}

#[cfg(test)]
mod tests;
