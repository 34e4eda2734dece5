//! A transaction whose block leaves the chain: told as out of it, sent again, and told once another block holds it.

use alloy::consensus::TxEip1559;
use alloy::primitives::{Address, U256};
use maidenlane_testkit::keys::{CHAIN_ID, Key};
use maidenlane_tests::{
    scenario::{Carrier, Net, Plan},
    wait,
};
use maidenlane_wire::Fate;
use serde_json::json;

use super::SOON;
use super::crooked::{Crooked, Manner};
use super::outcomes::{fates_of, log_of, outcomes};
use crate::consensus::Consensus;

/// A network whose replicas take transactions.
pub(super) fn taking(plan: &Plan) -> maidenlane_tests::failure::Outcome<Net> {
    let mut net = Net::build(plan)?;
    net.take_transactions()?;
    Ok(net)
}

/// A transfer that pays enough for any of our blocks.
pub(super) fn transfer(nonce: u64, tip: u128) -> TxEip1559 {
    TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: 100_000_000_000,
        max_priority_fee_per_gas: tip,
        to: Address::repeat_byte(7).into(),
        value: U256::from(1),
        ..TxEip1559::default()
    }
}

#[test]
fn a_transaction_whose_block_leaves_the_chain_is_told_so_and_sent_again() {
    let Some(mut consensus) = Consensus::on(Carrier::Segment, taking) else { return };
    let log = log_of(&consensus.net);
    let door = Crooked::open(&consensus.net.master(), Manner::Honest);
    let mut emitter = consensus.net.emitter("emitter-0", &[("geth", &door.url())]).unwrap();
    emitter.start().unwrap();
    let (master, replica) = consensus.sides();
    let key = &Key::of_generated_chains()[0];
    let nonce = master.quantity("eth_getTransactionCount", &json!([key.address, "pending"])).unwrap();
    let (hash, raw) = key.sign(transfer(nonce, 2_000_000_000));
    let hash = hash.to_string();
    replica.call("eth_sendRawTransaction", &json!([raw])).unwrap();
    let met = |fates: &[&str]| {
        let what = format!("{hash} to meet {fates:?}");
        let seen = wait::until(&what, SOON, || {
            let told = outcomes(&log).remove(&hash).unwrap_or_default();
            if fates_of(&told) == fates { Ok(told) } else { Err(format!("{:?}", fates_of(&told))) }
        });
        seen.unwrap()
    };
    met(&["Received", "Accepted"]);
    let base = consensus.head();
    let holds = holding(&mut consensus, &base, &hash);
    consensus.choose(&holds);
    met(&["Received", "Accepted", "Mined"]);
    let came = door.came();
    // Another block in its place.
    let empty = consensus.idle(&base);
    consensus.choose(&empty);
    let told = met(&["Received", "Accepted", "Mined", "ReorgedOut", "Accepted"]);
    let of = |fate: &Fate| match fate {
        Fate::Mined { block } | Fate::ReorgedOut { block } => Some(block.hash.to_string()),
        _ => None,
    };
    let blocks: Vec<_> = told.iter().filter_map(|outcome| of(&outcome.fate)).collect();
    assert_eq!(blocks, [holds.as_str(), &holds]);
    assert!(door.came() > came, "it is sent again");
    let again = holding(&mut consensus, &empty, &hash);
    consensus.choose(&again);
    let told = met(&["Received", "Accepted", "Mined", "ReorgedOut", "Accepted", "Mined"]);
    let rounds: Vec<_> = told.iter().filter(|one| of(&one.fate).is_some()).map(|one| one.round).collect();
    assert_eq!(rounds, [0, 0, 1]);
    emitter.stop().unwrap();
    consensus.end();
}

/// A block on `parent` that holds the transaction: geth first builds one without.
fn holding(consensus: &mut Consensus, parent: &str, hash: &str) -> String {
    let master = consensus.net.master();
    let mut gwei = 1_000;
    wait::until("a block with the transaction", SOON, || {
        gwei += 1;
        let block = consensus.try_execute(parent, 100, gwei).map_err(|failure| failure.to_string())?;
        let answer = master.call("eth_getBlockByHash", &json!([block, false]));
        let held = answer.map_err(|failure| failure.to_string())?.to_string();
        if held.contains(hash) { Ok(block) } else { Err("a block without it".to_owned()) }
    })
    .unwrap()
}
