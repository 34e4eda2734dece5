//! `eth_sendRawTransaction` and its waiting twin: a transaction is decoded, checked as a node checks it, and made
//! durable for the nodes. Nothing is executed and no pool exists: the hash says that the transaction is on its way, or
//! that a node has it, where the settings have the client wait for that.

use crate::outcomes::verdicts::{Verdict, Wanted};
use crate::rpc::Shared;
use crate::rpc::call_context::executable;
use crate::rpc::execute::refused;
use crate::rpc::request_view::RequestView;
use crate::submission::{Means, NotTaken, Offer, Refused, STORED_ONCE_FOR, Submissions};
use alloy::primitives::{B256, Bytes, U256, keccak256};
use maidenlane_ethjson::raw::{self, Sent};
use maidenlane_ethjson::unreadable;
use maidenlane_ethjson::{admit, params};
use maidenlane_evm::pool;
use maidenlane_jsonrpc::{Args, Error, Json, Owner, codes};
use maidenlane_service::clock::{millis, now_ms};
use maidenlane_state::At;
use maidenlane_wire::Transaction;
use maidenlane_wire::transaction::ENTRY_MAX_BYTES;
use serde_json::value::RawValue;
use std::sync::Arc;
use std::time::Duration;

/// geth's timeouts of `eth_sendRawTransactionSync`: the default and the longest.
const SYNC: Duration = Duration::from_secs(20);
const SYNC_MAX: Duration = Duration::from_secs(60);
/// Time left for the answer when the waiting ends.
const SYNC_MARGIN: Duration = Duration::from_millis(500);

/// `eth_sendRawTransaction`.
pub(crate) async fn send(
    shared: &Arc<Shared>,
    view: &Arc<RequestView>,
    params: Option<&RawValue>,
) -> Result<Json, Error> {
    let door = Door::of(shared, view)?;
    let bytes = Args::parse(params, 1)?.required(params::data)?;
    let checked = door.check(bytes).await?;
    let hash = checked.offer.hash;
    door.hand_on(checked).await?;
    Ok(Json::data(hash.as_slice()))
}

/// `eth_sendRawTransactionSync`.
pub(crate) async fn send_sync(
    shared: &Arc<Shared>,
    view: &Arc<RequestView>,
    params: Option<&RawValue>,
) -> Result<Json, Error> {
    let door = Door::of(shared, view)?;
    let mut args = Args::parse(params, 2)?;
    let bytes = args.required(params::data)?;
    let wait_ms = args.optional(milliseconds)?;
    let checked = door.check(bytes).await?;
    let hash = checked.offer.hash;
    // Before it is handed on: its end may be here first.
    let refusal = shared.outcomes.as_ref().map(|known| known.verdicts().expect(hash, Wanted::Refusal));
    door.hand_on(checked).await?;
    let wait = wait_ms.filter(|ms| *ms > 0).map_or(SYNC, |ms| Duration::from_millis(ms).min(SYNC_MAX));
    let most = shared.settings.get().limits.answer.saturating_sub(SYNC_MARGIN);
    let receipt = receipt(shared, view.owner(), hash, wait.min(most));
    let Some(mut refusal) = refusal else { return receipt.await };
    tokio::select! {
        answer = receipt => answer,
        verdict = refusal.come() => Err(match verdict {
            Verdict::Refused(reason) => Error::server(reason).with_data(Json::data(hash.as_slice())),
            Verdict::Accepted => Error::internal("a verdict was told that nobody waited for"),
        }),
    }
}

/// The way of one transaction into the log.
struct Door<'a> {
    shared: &'a Arc<Shared>,
    view: &'a Arc<RequestView>,
    submissions: &'a Submissions,
}

impl<'a> Door<'a> {
    fn of(shared: &'a Arc<Shared>, view: &'a Arc<RequestView>) -> Result<Self, Error> {
        let text = "this deployment does not take transactions";
        let submissions = shared.submissions.as_ref().ok_or_else(|| Error::server(text))?;
        Ok(Self { shared, view, submissions })
    }

    /// Checks a transaction, by itself and beside the others of its sender. Whoever follows rejections learns of a refusal.
    async fn check(&self, bytes: Bytes) -> Result<Checked, Error> {
        let tell = |error: &Error| {
            // Others say that it is not known whether it may be taken.
            if error.code == codes::SERVER {
                let (raw, reason) = (bytes.clone(), error.message.clone().into_owned());
                self.submissions.refuse(Refused { raw, reason, owner: self.view.owner().clone() });
            }
        };
        let sent = raw::decode(bytes.clone())?;
        let checked = checked(self.shared, self.view, sent).await.inspect_err(tell)?;
        self.submissions.begun().await;
        // One that is not stored again gets no verdict again.
        let since_ms = now_ms().saturating_sub(millis(STORED_ONCE_FOR));
        let known = self.shared.outcomes.as_ref();
        if let Some(reason) = known.and_then(|known| known.rejected_since(checked.offer.hash, since_ms)) {
            return Err(Error::server(reason));
        }
        let admitted = self.submissions.admit(&checked.offer, &checked.means).map_err(not_taken);
        admitted.inspect_err(tell)?;
        Ok(checked)
    }

    /// Makes a transaction durable, and waits for what nodes say of it where the settings say so.
    async fn hand_on(&self, Checked { transaction, offer, .. }: Checked) -> Result<(), Error> {
        // Before it is handed on: the verdict may be here first.
        let expected = self
            .submissions
            .verdict_wait()
            .zip(self.shared.outcomes.as_ref())
            .map(|(wait, known)| (known.verdicts().expect(offer.hash, Wanted::Any), wait));
        self.submissions.take(transaction).await.map_err(not_taken)?;
        let Some((expected, wait)) = expected else { return Ok(()) };
        match expected.within(wait).await {
            Some(Verdict::Refused(reason)) => Err(Error::server(reason)),
            Some(Verdict::Accepted) | None => Ok(()),
        }
    }
}

fn milliseconds(json: &str) -> Result<u64, String> {
    serde_json::from_str(json).map_err(|_| {
        let kind = if json.starts_with('"') { "string".into() } else { format!("number {json}") };
        format!("json: cannot unmarshal {kind} into Go value of type uint64")
    })
}

/// A transaction that is sound by itself, and what its sender's others are judged by.
struct Checked {
    transaction: Transaction,
    offer: Offer,
    means: Means,
}

/// Checks a transaction. One with blobs goes to the pool: each takes milliseconds to check, and longer to be given
/// other proofs.
async fn checked(shared: &Arc<Shared>, view: &Arc<RequestView>, sent: Sent) -> Result<Checked, Error> {
    executable(view, &view.head().header)?;
    if sent.blobs.is_none() {
        return check(view, sent);
    }
    let seen = Arc::clone(view);
    shared.pool.run(view.owner(), move |_| check(&seen, sent)).await.map_err(refused)?
}

fn check(view: &RequestView, sent: Sent) -> Result<Checked, Error> {
    let head = view.head();
    let sent = sent.with_current_proofs(&head.rules, &head.header)?;
    let sender = admit::alone(&sent, &head.rules, &head.header)?;
    let account = view.source().account(keccak256(sender), At::Latest).map_err(unreadable)?;
    admit::against(&sent, account.as_ref())?;
    sent.prove()?;
    let (owner, taken_ms) = (view.owner(), now_ms());
    let offer = Offer::new(&sent, sender, owner.known_as(), taken_ms);
    let (nonce, balance) = account.map_or((0, U256::ZERO), |account| (account.nonce, account.balance));
    let (tag, identity) = (owner.tag().map(str::to_owned), owner.known_as().map(str::to_owned));
    let transaction = Transaction { hash: offer.hash, sender, raw: sent.raw, taken_ms, tag, identity };
    let bytes = transaction.encode().len() + sender.len();
    if bytes > ENTRY_MAX_BYTES {
        let text = format!("oversized data: transaction size {bytes}, limit {ENTRY_MAX_BYTES}");
        return Err(Error::server(text));
    }
    Ok(Checked { transaction, offer, means: Means { nonce, balance } })
}

fn not_taken(reason: NotTaken) -> Error {
    let code = match reason {
        NotTaken::Refused(_) => codes::SERVER,
        NotTaken::Full | NotTaken::TooMany | NotTaken::Waiting { .. } => codes::LIMIT_EXCEEDED,
        NotTaken::Log(_) | NotTaken::Unconsumed(_) => codes::NOT_TAKEN,
    };
    Error::new(code, reason.to_string())
}

/// Does a look-up, on the pool unless it is `hot`. A full pool is no reason to leave out what was waited for.
async fn told(
    shared: &Shared,
    owner: &Owner,
    look: impl Fn() -> Result<Json, Error> + Clone + Send + 'static,
    hot: bool,
) -> Result<Json, Error> {
    if hot {
        return look();
    }
    let there = look.clone();
    match shared.pool.run(owner, move |_| there()).await {
        Ok(done) => done,
        Err(pool::Refused::Full) => look(),
        Err(reason) => Err(refused(reason)),
    }
}

/// Waits for the receipt, until a block holds the transaction.
async fn receipt(shared: &Arc<Shared>, owner: &Owner, hash: B256, wait: Duration) -> Result<Json, Error> {
    // Subscribed before the first look: a block between look and wait is not missed.
    let mut changes = shared.live.changes();
    let found = async {
        loop {
            let view = Arc::new(RequestView::now(&*shared.live));
            if let Some((at, index)) = view.source().transaction(hash).map_err(unreadable)? {
                let there = Arc::clone(shared);
                let look = move || {
                    let mined = there.blocks.transaction(&view, at, index)?;
                    mined.map_or(Ok(Json::NULL), |mined| there.blocks.receipt(&view, &mined))
                };
                return told(shared, owner, look, shared.blocks.decoded(at).is_some()).await;
            }
            if changes.changed().await.is_err() {
                return Err(Error::internal("this replica is stopping"));
            }
        }
    };
    tokio::time::timeout(wait, found).await.unwrap_or_else(|_| {
        let wait = go_duration(wait);
        let text =
            format!("The transaction was added to the transaction pool but wasn't processed in {wait}");
        Err(Error::new(codes::TX_SYNC_TIMEOUT, text).with_data(Json::data(hash.as_slice())))
    })
}

/// Formats whole milliseconds as Go does: `1m0s`, `1.5s`, `200ms`.
fn go_duration(duration: Duration) -> String {
    let (ms, minutes) = (duration.as_millis() % 60_000, duration.as_secs() / 60);
    if minutes == 0 && ms < 1_000 {
        return if ms == 0 { "0s".into() } else { format!("{ms}ms") };
    }
    let fraction = format!(".{:03}", ms % 1_000);
    let seconds = format!("{}{}s", ms / 1_000, fraction.trim_end_matches('0').trim_end_matches('.'));
    if minutes == 0 { seconds } else { format!("{minutes}m{seconds}") }
}

#[cfg(test)]
mod tests {
    use super::go_duration;
    use std::time::Duration;

    #[test]
    fn durations_are_told_as_go_tells_them() {
        for (ms, expect) in [
            (0, "0s"),
            (200, "200ms"),
            (1_000, "1s"),
            (1_500, "1.5s"),
            (20_000, "20s"),
            (59_500, "59.5s"),
            (60_000, "1m0s"),
            (61_001, "1m1.001s"),
        ] {
            assert_eq!(go_duration(Duration::from_millis(ms)), expect);
        }
    }
}
