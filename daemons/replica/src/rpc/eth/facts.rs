//! Configuration and capabilities of this node: `eth_config` (EIP-7910) and `eth_capabilities`.

use crate::rpc::request_view::RequestView;
use alloy::eips::eip2124::ForkHash;
use alloy::eips::eip7840::BlobParams;
use alloy::genesis::ChainConfig;
use alloy::primitives::{Address, B256, address};
use maidenlane_chain::BlockRef;
use maidenlane_chain::forks::{At, Forks};
use maidenlane_ethjson::select::{self, pruned};
use maidenlane_ethjson::unreadable;
use maidenlane_json::Object;
use maidenlane_jsonrpc::{Args, Error, Json};
use serde_json::value::RawValue;

/// Forks by time, oldest first: the place in this list is the fork's rank.
fn timed(config: &ChainConfig) -> [Option<u64>; 9] {
    [
        config.shanghai_time,
        config.cancun_time,
        config.prague_time,
        config.osaka_time,
        config.bpo1_time,
        config.bpo2_time,
        config.bpo3_time,
        config.bpo4_time,
        config.bpo5_time,
    ]
}

const CANCUN: usize = 1;
const PRAGUE: usize = 2;
const OSAKA: usize = 3;

/// The precompiles from a fork's rank on, by the names of EIP-7910.
const PRECOMPILES: [(Option<usize>, &str, u16); 18] = [
    (None, "ECREC", 1),
    (None, "SHA256", 2),
    (None, "RIPEMD160", 3),
    (None, "ID", 4),
    (None, "MODEXP", 5),
    (None, "BN254_ADD", 6),
    (None, "BN254_MUL", 7),
    (None, "BN254_PAIRING", 8),
    (None, "BLAKE2F", 9),
    (Some(CANCUN), "KZG_POINT_EVALUATION", 0x0a),
    (Some(PRAGUE), "BLS12_G1ADD", 0x0b),
    (Some(PRAGUE), "BLS12_G1MSM", 0x0c),
    (Some(PRAGUE), "BLS12_G2ADD", 0x0d),
    (Some(PRAGUE), "BLS12_G2MSM", 0x0e),
    (Some(PRAGUE), "BLS12_PAIRING_CHECK", 0x0f),
    (Some(PRAGUE), "BLS12_MAP_FP_TO_G1", 0x10),
    (Some(PRAGUE), "BLS12_MAP_FP2_TO_G2", 0x11),
    (Some(OSAKA), "P256VERIFY", 0x100),
];

const BEACON_ROOTS: Address = address!("0x000f3df6d732807ef1319fb7b8bb8522d0beac02");
const CONSOLIDATIONS: Address = address!("0x0000bbddc7ce488642fb579f8b00f3a590007251");
const HISTORY: Address = address!("0x0000f90827f1c53a10cb7a02335b175320002935");
const WITHDRAWALS: Address = address!("0x00000961ef480eb55e80d19ad83579a64c007002");

/// Block 0, which fork ids begin with.
struct Genesis {
    hash: B256,
    time: u64,
}

/// `eth_config`.
pub(crate) fn config(view: &RequestView, params: Option<&RawValue>) -> Result<Json, Error> {
    Args::parse(params, 0)?;
    let source = view.source();
    let hash = source.hash_of(0).map_err(unreadable)?.ok_or_else(pruned)?;
    let genesis = Genesis { hash, time: select::header(source, BlockRef::new(0, hash))?.timestamp };
    let forks = view.head().rules.forks();
    let times = timed(forks.config());
    let now = view.head().header.timestamp;
    let reached = |until: u64| times.iter().rposition(|from| from.is_some_and(|from| from <= until));
    let current = reached(now);
    // As in geth: the fork of the next rank, whether or not a later one is scheduled without it.
    let next = current.map_or(0, |rank| rank + 1);
    let next = Some(next).filter(|rank| times.get(*rank).is_some_and(Option::is_some));
    let last = next.and_then(|_| reached(u64::MAX));
    Ok(Json::object(|object| {
        for (name, rank) in [("current", current), ("next", next), ("last", last)] {
            match rank {
                Some(rank) => write(Object::new(object.value(name)), forks, &genesis, rank),
                None => object.raw(name, "null"),
            }
        }
    }))
}

fn write(mut object: Object<'_>, forks: &Forks, genesis: &Genesis, rank: usize) {
    let time = timed(forks.config()).get(rank).copied().flatten().unwrap_or_default();
    // A fork that is active from the beginning has no time.
    let activation = if genesis.time >= time { 0 } else { time };
    object.raw("activationTime", &activation.to_string());
    match forks.blobs_at(time) {
        Some(blobs) => write_blobs(Object::new(object.value("blobSchedule")), &blobs),
        None => object.raw("blobSchedule", "null"),
    }
    object.quantity("chainId", forks.chain_id());
    object.data("forkId", &fork_id(forks, genesis, time).0);
    let mut list = Object::new(object.value("precompiles"));
    for (from, name, number) in PRECOMPILES {
        if from.is_none_or(|from| from <= rank) {
            list.data(name, Address::left_padding_from(&number.to_be_bytes()).as_slice());
        }
    }
    list.end();
    let mut contracts = Object::new(object.value("systemContracts"));
    if rank >= CANCUN {
        contracts.data("BEACON_ROOTS_ADDRESS", BEACON_ROOTS.as_slice());
    }
    if rank >= PRAGUE {
        let deposits = forks.config().deposit_contract_address.unwrap_or_default();
        contracts.data("CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS", CONSOLIDATIONS.as_slice());
        contracts.data("DEPOSIT_CONTRACT_ADDRESS", deposits.as_slice());
        contracts.data("HISTORY_STORAGE_ADDRESS", HISTORY.as_slice());
        contracts.data("WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS", WITHDRAWALS.as_slice());
    }
    contracts.end();
    object.end();
}

fn write_blobs(mut object: Object<'_>, blobs: &BlobParams) {
    object.raw("target", &blobs.target_blob_count.to_string());
    object.raw("max", &blobs.max_blob_count.to_string());
    object.raw("baseFeeUpdateFraction", &blobs.update_fraction.to_string());
    object.end();
}

/// Fork id (EIP-2124) at the last block before the fork after `time`.
fn fork_id(forks: &Forks, genesis: &Genesis, time: u64) -> ForkHash {
    let mut blocks: Vec<u64> = Vec::new();
    let mut times: Vec<u64> = Vec::new();
    for fork in forks.activations() {
        match fork.at {
            At::Block(from) if from > 0 => blocks.push(from),
            At::Time(from) if from > genesis.time && from <= time => times.push(from),
            _ => (),
        }
    }
    blocks.sort_unstable();
    blocks.dedup();
    times.sort_unstable();
    times.dedup();
    blocks.into_iter().chain(times).fold(ForkHash::from(genesis.hash), |hash, from| hash + from)
}

/// `eth_capabilities`: the oldest block for which each kind of question is answered.
pub(crate) fn capabilities(view: &RequestView, params: Option<&RawValue>) -> Result<Json, Error> {
    Args::parse(params, 0)?;
    let head = view.head();
    Ok(Json::object(|object| {
        let mut block = Object::new(object.value("head"));
        block.quantity("number", head.block.number);
        block.data("hash", head.block.hash.as_slice());
        block.end();
        let kinds = [
            ("state", Some(head.state_floor)),
            ("tx", Some(head.body_floor)),
            ("logs", Some(head.body_floor)),
            ("receipts", Some(head.body_floor)),
            ("blocks", Some(head.body_floor)),
            ("stateproofs", head.proofs_floor),
        ];
        for (name, oldest) in kinds {
            let mut kind = Object::new(object.value(name));
            kind.raw("disabled", if oldest.is_some() { "false" } else { "true" });
            if let Some(oldest) = oldest {
                kind.quantity("oldestBlock", oldest);
            }
            kind.end();
        }
    }))
}
