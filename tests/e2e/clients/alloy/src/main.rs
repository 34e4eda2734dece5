//! `alloy MASTER REPLICA REPLICA_WS CONTRACT BLOCK KEY`: what alloy's provider is told by both sides, compared as JSON of
//! its typed results; then filters, subscriptions and a transaction of its own on the replica alone. Of a relay: `searcher`.

mod asked;
mod live;
mod look;
mod searcher;

use alloy::primitives::Address;
use alloy::providers::{DynProvider, Provider as _, ProviderBuilder, WsConnect};
use alloy::signers::local::PrivateKeySigner;
use asked::Asked;
use std::error::Error;
use std::process::ExitCode;

/// Addresses and contracts of the network, from the harness.
pub(crate) struct Network {
    /// Logs and stores whenever it is called.
    pub(crate) contract: Address,
    /// Both sides have it, and the blocks before.
    pub(crate) block: u64,
    /// The client's own account.
    pub(crate) account: PrivateKeySigner,
}

pub(crate) fn http(url: &str) -> Result<DynProvider, Box<dyn Error>> {
    Ok(ProviderBuilder::new().connect_http(url.parse()?).erased())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [relay, node, key] = arguments.as_slice() {
        return searcher::run(relay, node, key).await.map(|()| ExitCode::SUCCESS);
    }
    let [master, replica, socket, contract, block, key] = arguments.as_slice() else {
        return Err("usage: MASTER REPLICA REPLICA_WS CONTRACT BLOCK KEY, or RELAY NODE KEY".into());
    };
    let account: PrivateKeySigner = key.parse()?;
    let network = Network { contract: contract.parse()?, block: block.parse()?, account };
    let mut asked = Asked::new(http(master)?, http(replica)?);
    look::blocks(&mut asked, &network).await?;
    look::calls(&mut asked, &network).await?;
    look::node(&mut asked).await;
    let polled = http(replica)?;
    live::filters(&mut asked, &polled, &network).await?;
    let subscribed = ProviderBuilder::new().connect_ws(WsConnect::new(socket.as_str())).await?.erased();
    live::subscriptions(&mut asked, &subscribed, &network).await?;
    let wallet = ProviderBuilder::new().wallet(network.account.clone()).connect_http(replica.parse()?);
    live::transaction(&mut asked, &wallet.erased(), &network).await?;
    Ok(if asked.end(100) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
