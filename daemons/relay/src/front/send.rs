//! Orders that come: bundles, private transactions, and cancels of both.

use super::{Front, answers, refused, signer, stale};
use crate::blobs;
use crate::book::Applied;
use crate::bundle::{self, Asked, Checked, Circumstances};
use crate::caller::Caller;
use crate::company::At;
use crate::failsafe;
use crate::orders::{NotTaken, Stored};
use crate::private;
use crate::refusal::Refusal;
use maidenlane_chain::Address;
use maidenlane_jsonrpc::{Args, Error, Json, codes};
use maidenlane_service::clock;
use maidenlane_wire::{BundleCancel, BundleKind, Cancelled, ContentId, Taken};
use serde_json::value::RawValue;
use std::time::Duration;

/// Time in which all relays must have read a cancel for its answer to say so.
const KNOWN_WITHIN: Duration = Duration::from_millis(200);

impl Front {
    pub(super) async fn send_bundle(
        &self,
        caller: &Caller,
        method: &str,
        params: Option<&RawValue>,
    ) -> Result<Json, Error> {
        let with = self.circumstances(caller)?;
        let json = Args::parse(params, 1)?.required(Ok)?;
        let read = match method {
            "eth_sendBlobs" => blobs::read,
            "eth_sendEndOfBlockBundle" => bundle::read_end_of_block,
            _ => bundle::read,
        };
        match read(json, &with)? {
            Asked::Bundle(checked) => {
                let told = answers::Taken::of(&checked);
                let stored = self.take(*checked).await?;
                Ok(told.answer(stored))
            }
            Asked::Cancel(cancel) => self.cancel(cancel).await,
        }
    }

    pub(super) async fn cancel_bundle(
        &self,
        caller: &Caller,
        params: Option<&RawValue>,
    ) -> Result<Json, Error> {
        let signer = signer(caller)?;
        let json = Args::parse(params, 1)?.required(Ok)?;
        let fields = crate::fields::Fields::read(json)?;
        let (name, nonce) = bundle::replacement(&fields)?.ok_or(Refusal::Empty)?;
        let of = Cancelled::Replacement { name, nonce };
        self.cancel(BundleCancel { taken: self.taken(caller), signer, of }).await
    }

    pub(super) async fn send_private(
        &self,
        caller: &Caller,
        params: Option<&RawValue>,
    ) -> Result<Json, Error> {
        let with = self.circumstances(caller)?;
        let json = Args::parse(params, 1)?.required(Ok)?;
        self.take_private(private::read(json, &with)?).await
    }

    pub(super) async fn send_private_raw(
        &self,
        caller: &Caller,
        params: Option<&RawValue>,
    ) -> Result<Json, Error> {
        let with = self.circumstances(caller)?;
        let mut args = Args::parse(params, 2)?;
        let (tx, preferences) = (args.required(Ok)?, args.optional(Ok)?);
        self.take_private(private::read_raw(tx, preferences, &with)?).await
    }

    pub(super) async fn cancel_private(
        &self,
        caller: &Caller,
        params: Option<&RawValue>,
    ) -> Result<Json, Error> {
        let signer = signer(caller)?;
        let json = Args::parse(params, 1)?.required(Ok)?;
        let ended = self.cancel_transaction(caller, signer, private::read_cancel(json)?).await?;
        Ok(if ended { Json::TRUE } else { Json::FALSE })
    }

    /// Cancels a private transaction of this signer's; true if that ended one.
    pub(super) async fn cancel_transaction(
        &self,
        caller: &Caller,
        signer: Address,
        of: Cancelled,
    ) -> Result<bool, Error> {
        let cancel = BundleCancel { taken: self.taken(caller), signer, of };
        match self.0.orders.cancel(cancel).await.map_err(not_taken)? {
            Stored::Applied(Applied::Cancels { ended }, at) if self.is_known_to_all(at).await => {
                // Nobody takes back what is public.
                Ok(ended.is_some_and(|content| !self.is_public(content)))
            }
            Stored::Pending | Stored::Applied(Applied::Cancels { .. }, _) => Err(pending()),
            Stored::Applied(other, _) => Err(not_counting(other)),
        }
    }

    /// True for an order that became public.
    pub(super) fn is_public(&self, content: ContentId) -> bool {
        let told = self.0.fates.told();
        told.of(content).is_some_and(|history| history.words.contains_key(failsafe::NAME))
    }

    pub(super) async fn take_private(&self, checked: Checked) -> Result<Json, Error> {
        let hash = checked.hashes.reveal().first().copied();
        match self.take(checked).await? {
            Stored::Pending => Err(pending()),
            Stored::Applied(..) => Ok(hash.map_or(Json::NULL, |hash| Json::data(hash.as_slice()))),
        }
    }

    pub(super) async fn take(&self, checked: Checked) -> Result<Stored, Error> {
        let known = |name: &String| self.0.terms.builders.iter().any(|(builder, _)| builder == name);
        let named = &checked.bundle.builders;
        let unknown = named.iter().position(|name| !known(name));
        // Wallets name builders of other relays beside ours; where all are others', nobody would get it.
        let is_for_some = checked.bundle.kind == BundleKind::Private && named.iter().any(known);
        if let Some(index) = unknown.filter(|_| !is_for_some) {
            return Err(Refusal::Builder { index }.into());
        }
        match self.0.orders.bundle(checked).await.map_err(not_taken)? {
            Stored::Applied(applied @ (Applied::Stale | Applied::Cancelled | Applied::NotKept(_)), _) => {
                Err(not_counting(applied))
            }
            stored => Ok(stored),
        }
    }

    async fn cancel(&self, cancel: BundleCancel) -> Result<Json, Error> {
        match self.0.orders.cancel(cancel).await.map_err(not_taken)? {
            Stored::Applied(Applied::Cancels { ended }, at) => {
                let applied = self.is_known_to_all(at).await;
                let book = self.0.orders.book();
                let hash = ended.and_then(|content| book.get(content)).map(|known| *known.hash.reveal());
                Ok(answers::cancelled(hash, applied))
            }
            Stored::Applied(other, _) => Err(not_counting(other)),
            Stored::Pending => Ok(answers::cancelled(None, false)),
        }
    }

    /// Waits until every relay that lives has acted on a cancel: until then another may send what it cancels.
    async fn is_known_to_all(&self, at: At) -> bool {
        self.0.company.have_acted(at, KNOWN_WITHIN).await
    }

    fn taken(&self, caller: &Caller) -> Taken {
        let identity = caller.identity().map(str::to_owned);
        Taken { relay: self.0.terms.relay, identity, at_ms: clock::now_ms() }
    }

    pub(super) fn circumstances(&self, caller: &Caller) -> Result<Circumstances, Error> {
        self.circumstances_of(caller, signer(caller)?)
    }

    pub(super) fn circumstances_of(&self, caller: &Caller, signer: Address) -> Result<Circumstances, Error> {
        if let Some(reason) = self.0.chain.fitness().stale {
            return Err(stale(&reason));
        }
        let view = self.0.chain.view();
        let head = view.head();
        Ok(Circumstances {
            taken: self.taken(caller),
            signer,
            chain_id: self.0.terms.chain_id,
            next: head.block.number.saturating_add(1),
            head_s: head.header.timestamp,
            ahead_max: self.0.terms.ahead_max,
            bytes_max: self.0.terms.order_bytes,
            mempool: self.0.terms.mempool,
        })
    }
}

fn not_taken(error: NotTaken) -> Error {
    let text = error.to_string();
    match error {
        NotTaken::NoRoom(lack) => refused(codes::LIMIT_EXCEEDED, lack.reason(), text),
        NotTaken::NotStored(_) => refused(codes::NOT_TAKEN, "notStored", text),
        NotTaken::NotSealed(error) => Error::internal(maidenlane_service::with_causes(&error)),
    }
}

/// Error for an order that is durable and does not count.
fn not_counting(applied: Applied) -> Error {
    let text = match applied {
        Applied::NotKept(lack) => {
            return refused(codes::LIMIT_EXCEEDED, applied.reason(), lack.to_string());
        }
        Applied::Cancelled => {
            "that was cancelled before: send it under another replacementUuid, or as another transaction"
        }
        _ => "a newer one is there under that replacementUuid: send a higher replacementNonce",
    };
    refused(codes::SERVER, applied.reason(), text.to_owned())
}

fn pending() -> Error {
    refused(
        codes::TIMEOUT,
        "pending",
        "it is durable, and its turn has not come yet: ask for its status".to_owned(),
    )
}
