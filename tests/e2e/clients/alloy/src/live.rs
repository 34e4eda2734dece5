//! Moving parts: filters, subscriptions, a transaction.

use crate::Network;
use crate::asked::Asked;
use alloy::network::TransactionBuilder as _;
use alloy::primitives::B256;
use alloy::providers::ext::TraceApi as _;
use alloy::providers::{DynProvider, Provider as _};
use alloy::rpc::types::{Filter, TransactionRequest};
use futures_util::StreamExt as _;
use std::error::Error;
use std::future::ready;
use std::time::Duration;
use tokio::time::timeout;

type Outcome = Result<(), Box<dyn Error>>;

/// Blocks come every second.
const SOON: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);

/// The next item of a stream; fails instead of waiting for ever.
async fn next<T>(
    what: &str,
    stream: impl futures_util::Stream<Item = T> + Unpin,
) -> Result<T, Box<dyn Error>> {
    let mut stream = stream;
    let item = timeout(SOON, stream.next()).await.map_err(|_| format!("no {what} within {SOON:?}"))?;
    item.ok_or_else(|| format!("the stream of {what} ends").into())
}

/// Filters over HTTP tell of the next blocks and logs; most polls tell nothing.
pub(crate) async fn filters(asked: &mut Asked, polled: &DynProvider, network: &Network) -> Outcome {
    let wanted = Filter::new().address(network.contract);
    let blocks = polled.watch_blocks().await?.with_poll_interval(POLL).into_stream();
    let logs = polled.watch_logs(&wanted).await?.with_poll_interval(POLL).into_stream();
    let hashes = next("block of a filter", Box::pin(blocks.filter(|items| ready(!items.is_empty())))).await?;
    let block = polled.get_block_by_hash(hashes[0]).await?.ok_or("a filter tells of no block")?;
    asked.holds("a filter tells of a new block", block.header.number > network.block);
    let logs = next("log of a filter", Box::pin(logs.filter(|items| ready(!items.is_empty())))).await?;
    asked.holds("a filter tells of its logs", logs.iter().all(|log| log.address() == network.contract));
    let id = polled.new_filter(&wanted).await?;
    let all = polled.get_filter_logs(id).await?;
    asked.holds("all logs of a filter are its", all.iter().all(|log| log.address() == network.contract));
    asked.holds("a filter is uninstalled", polled.uninstall_filter(id).await?);
    asked.holds("and is gone", !polled.uninstall_filter(id).await?);
    Ok(())
}

/// Subscriptions over WebSocket do so, too.
pub(crate) async fn subscriptions(asked: &mut Asked, side: &DynProvider, network: &Network) -> Outcome {
    let wanted = Filter::new().address(network.contract);
    let (heads, logs) = (side.subscribe_blocks().await?, side.subscribe_logs(&wanted).await?);
    let (heads_id, mut heads) = (*heads.local_id(), heads.into_stream());
    let first = next("head", &mut heads).await?;
    asked.holds("a head comes", first.number > network.block);
    let second = next("second head", &mut heads).await?;
    asked.holds("heads follow each other", second.parent_hash == first.hash);
    let log = next("log", logs.into_stream()).await?;
    asked.holds("a log comes", log.address() == network.contract && log.block_hash.is_some() && !log.removed);
    side.unsubscribe(heads_id).await?;
    asked.holds("the connection is still good", side.get_block_number().await? > network.block);
    Ok(())
}

/// Sent to the replica, delivered by others, mined. alloy fills in the nonce, the fees and the gas, and waits.
pub(crate) async fn transaction(asked: &mut Asked, wallet: &DynProvider, network: &Network) -> Outcome {
    let wanted = TransactionRequest::default().with_to(network.contract).with_input(B256::repeat_byte(0x55));
    let sent = wallet.send_transaction(wanted).await?;
    let hash = *sent.tx_hash();
    let receipt = timeout(SOON, sent.get_receipt()).await??;
    asked.holds("sent", receipt.status() && receipt.transaction_hash == hash);
    asked.both("its receipt", |side| async move { side.get_transaction_receipt(hash).await }).await;
    asked.holds("traced as Parity does", wallet.trace_transaction(hash).await?.len() == 1);
    Ok(())
}
