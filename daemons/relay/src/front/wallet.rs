//! A relay as the only address of a wallet: its transactions become private, and all else is asked of a replica.
//!
//! # Why a list of methods
//! The replica trusts the relay, as any client that its settings let in. What the relay's own clients may ask there is what
//! a wallet needs, and nothing that costs more.

use super::{Front, refused};
use crate::caller::Caller;
use crate::private;
use crate::refusal::Refusal;
use crate::wishes::Wishes;
use alloy::consensus::Transaction as _;
use maidenlane_chain::transaction::signer;
use maidenlane_chain::{Address, B256, Bytes, Transaction, keccak256};
use maidenlane_ethjson::{params, raw};
use maidenlane_jsonrpc::client::LinkError;
use maidenlane_jsonrpc::{Args, Error, Json, codes};
use maidenlane_service::with_causes;
use maidenlane_state::At;
use maidenlane_wire::{BundleKind, Cancelled, ContentId};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Methods that are asked of the replica.
const PASSED: [&str; 25] = [
    "eth_blobBaseFee",
    "eth_call",
    "eth_createAccessList",
    "eth_estimateGas",
    "eth_feeHistory",
    "eth_gasPrice",
    "eth_getBalance",
    "eth_getBlockByHash",
    "eth_getBlockByNumber",
    "eth_getBlockReceipts",
    "eth_getBlockTransactionCountByHash",
    "eth_getBlockTransactionCountByNumber",
    "eth_getCode",
    "eth_getLogs",
    "eth_getProof",
    "eth_getStorageAt",
    "eth_getTransactionByBlockHashAndIndex",
    "eth_getTransactionByBlockNumberAndIndex",
    "eth_getTransactionByHash",
    "eth_getTransactionCount",
    "eth_getTransactionReceipt",
    "eth_maxPriorityFeePerGas",
    "eth_syncing",
    "net_listening",
    "web3_sha3",
];

impl Front {
    /// A transaction becomes private. One that does nothing but use up the nonce of another that is on its way cancels that, and
    /// goes nowhere itself, unless the other is public: then only a block that holds it keeps that out.
    pub(super) async fn send_from_wallet(
        &self,
        caller: &Caller,
        params: Option<&RawValue>,
    ) -> Result<Json, Error> {
        let wishes = Wishes::read(caller.query())?;
        let json = Args::parse(params, 1)?.required(Ok)?;
        let wrong = Refusal::Type { field: "transaction", expected: "a 0x hex text" };
        let bytes = params::string(json).and_then(|text| params::bytes_of(&text)).map_err(|_| wrong)?;
        let problem = |error: Error| Refusal::Transaction { index: 0, problem: error.message.into_owned() };
        let tx = raw::decode(bytes).map_err(problem)?.tx;
        let unsigned = || Refusal::Transaction { index: 0, problem: "invalid sender".to_owned() };
        let sender = signer(&tx).ok_or_else(unsigned)?;
        let owner = caller.wallet(sender)?;
        let with = self.circumstances_of(caller, owner)?;
        let checked = private::read_from_wallet(json, &wishes, &with)?;
        if does_nothing(&tx, sender)
            && let Some(hash) =
                self.private_nonces(owner, sender).get(&tx.nonce()).filter(|hash| *hash != tx.tx_hash())
            && !self.became_public(owner, *hash)
        {
            self.cancel_transaction(caller, owner, Cancelled::Transaction(*hash)).await?;
            return Ok(Json::data(tx.tx_hash().as_slice()));
        }
        self.take_private(checked).await
    }

    fn became_public(&self, owner: Address, hash: B256) -> bool {
        let known: Vec<ContentId> =
            self.0.orders.book().find(owner, hash).iter().map(|known| known.content).collect();
        known.into_iter().any(|content| self.is_public(content))
    }

    /// The nonce of a sender's next transaction: with private ones only for whoever proves to be that sender, since it says
    /// that there are some.
    pub(super) async fn transaction_count(
        &self,
        caller: &Caller,
        params: Option<&RawValue>,
    ) -> Result<Json, Error> {
        let mut args = Args::parse(params, 2)?;
        let address = args.required(params::address)?;
        let block = args.optional(params::string)?;
        if block.as_deref() != Some("pending") || caller.signer().ok() != Some(address) {
            return self.passed("eth_getTransactionCount", params).await;
        }
        let view = self.0.chain.view();
        let account = view.account(keccak256(address), At::Latest);
        let account = account.map_err(|error| Error::internal(with_causes(&error)))?;
        let mut nonce = account.map_or(0, |account| account.nonce);
        let private = self.private_nonces(address, address);
        while private.contains_key(&nonce) {
            nonce = nonce.saturating_add(1);
        }
        Ok(Json::quantity(nonce))
    }

    /// Private transactions of an owner's that one sender signed, and that may still go into a block, by their nonces.
    fn private_nonces(&self, owner: Address, sender: Address) -> BTreeMap<u64, B256> {
        // Shared, not copied: the book is not held while signers are recovered.
        let private: Vec<Bytes> = {
            let book = self.0.orders.book();
            let private = book.of_signer(owner).filter(|checked| checked.bundle.kind == BundleKind::Private);
            private.filter_map(|checked| checked.bundle.txs.first().cloned()).collect()
        };
        let decoded = private.into_iter().filter_map(|tx| raw::decode(tx).ok());
        let of_sender = decoded.map(|sent| sent.tx).filter(|tx| signer(tx) == Some(sender));
        of_sender.map(|tx| (tx.nonce(), *tx.tx_hash())).collect()
    }

    /// Asks the replica.
    pub(super) async fn passed(&self, method: &str, params: Option<&RawValue>) -> Result<Json, Error> {
        let (Some(replica), true) = (&self.0.replica, PASSED.contains(&method)) else {
            return Err(Error::no_method(method));
        };
        let answer = match params {
            Some(params) => replica.call::<Box<RawValue>>(method, params).await,
            None => replica.call(method, Vec::<()>::new()).await,
        };
        match answer {
            Ok(answer) => Ok(Json::Owned(answer.get().to_owned())),
            Err(error) => {
                if let LinkError::Client(client) = &error
                    && let Some(refused) = client.rpc()
                {
                    return Err(refused.clone());
                }
                tracing::warn!(method, "the replica does not answer: {}", with_causes(&error));
                let text = "the replica behind this relay does not answer: ask again";
                Err(refused(codes::NOT_TAKEN, "replicaAway", text.to_owned()))
            }
        }
    }
}

/// True for a transaction that moves nothing: its sender wants another one of the same nonce to stay out.
fn does_nothing(tx: &Transaction, sender: Address) -> bool {
    tx.to() == Some(sender) && tx.value().is_zero() && tx.input().is_empty()
}
