//! Raw transactions, in the form that travels between nodes: blobs with commitments and proofs beside them.

use alloy::consensus::{EthereumTxEnvelope, Header, TxEip4844, TxEip4844Variant, TxEip4844WithSidecar};
use alloy::eips::eip2718::{Decodable2718, Encodable2718};
use alloy::eips::eip4844::env_settings::EnvKzgSettings;
use alloy::eips::eip7594::BlobTransactionSidecarVariant as Blobs;
use alloy::primitives::{Address, B256, Bytes};
use maidenlane_chain::Rules;
use maidenlane_chain::Transaction;
use maidenlane_chain::transaction::signer;
use maidenlane_evm::rules::EvmRules as _;
use maidenlane_jsonrpc::Error;
use revm::primitives::hardfork::SpecId;

type Pooled = EthereumTxEnvelope<TxEip4844Variant<Blobs>>;

/// A transaction as a client sent it.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The transaction as it will stand in a block.
    pub tx: Transaction,
    /// Sidecar of a blob transaction: blobs, commitments and proofs, which stand beside the block.
    pub blobs: Option<Blobs>,
    /// Bytes of both, as sent.
    pub raw: Bytes,
}

/// Highest transaction type that can be read.
const LAST_TYPE: u8 = 4;
/// First byte from which on it begins a list, and with it a legacy transaction.
const LEGACY: u8 = 0x80;

/// Decodes a raw transaction; errors in geth's words as far as it has own ones.
pub fn decode(raw: Bytes) -> Result<Sent, Error> {
    match raw[..] {
        [kind, _, ..] if kind >= LEGACY || (1..=LAST_TYPE).contains(&kind) => {}
        [kind] if kind >= LEGACY => {}
        [] | [_] => return Err(Error::server("typed transaction too short")),
        _ => return Err(Error::server("transaction type not supported")),
    }
    let pooled = Pooled::decode_2718_exact(&raw).map_err(|error| Error::server(format!("rlp: {error}")))?;
    let (tx, blobs) = match pooled {
        Pooled::Eip4844(signed) => {
            let (tx, signature, hash) = signed.into_parts();
            let (tx, blobs) = match tx {
                TxEip4844Variant::TxEip4844(tx) => (tx, None),
                TxEip4844Variant::TxEip4844WithSidecar(TxEip4844WithSidecar { tx, sidecar }) => {
                    (tx, Some(sidecar))
                }
            };
            (Transaction::Eip4844(alloy::consensus::Signed::new_unchecked(tx, signature, hash)), blobs)
        }
        other => (other.map_eip4844(TxEip4844::from), None),
    };
    Ok(Sent { tx, blobs, raw })
}

/// Decodes a transaction that somebody says has this hash and sender.
///
/// # Errors
/// It cannot be read, or has another hash or sender.
pub fn stated(raw: Bytes, hash: B256, sender: Address) -> Result<Sent, String> {
    let sent = decode(raw).map_err(|error| error.message.into_owned())?;
    let found = *sent.tx.tx_hash();
    if found != hash {
        return Err(format!("its transaction is {found}, not {hash}"));
    }
    if signer(&sent.tx) != Some(sender) {
        return Err(format!("{hash} is not signed by {sender}"));
    }
    Ok(sent)
}

impl Sent {
    /// Form in which a block holds it.
    #[must_use]
    pub fn without_blobs(&self) -> Bytes {
        match &self.blobs {
            Some(_) => self.tx.encoded_2718().into(),
            None => self.raw.clone(),
        }
    }

    /// Converts one proof per blob to cell proofs from Osaka on, as geth does for older clients.
    pub fn with_current_proofs(self, rules: &Rules, head: &Header) -> Result<Self, Error> {
        let Self { tx, blobs, raw } = self;
        match (&tx, blobs) {
            (Transaction::Eip4844(signed), Some(blobs @ Blobs::Eip4844(_)))
                if rules.spec(head).is_enabled_in(SpecId::OSAKA) =>
            {
                let failed = |error| Error::server(format!("blob sidecar conversion failed: {error}"));
                let blobs = blobs.try_convert_into_eip7594().map_err(failed)?;
                let signed = signed.clone().map(|tx| {
                    TxEip4844Variant::TxEip4844WithSidecar(TxEip4844WithSidecar {
                        tx,
                        sidecar: blobs.clone(),
                    })
                });
                let raw = Pooled::Eip4844(signed).encoded_2718().into();
                Ok(Self { tx, blobs: Some(blobs), raw })
            }
            (_, blobs) => Ok(Self { tx, blobs, raw }),
        }
    }

    /// Checks the proofs of the blobs: the expensive part, after everything else.
    pub fn prove(&self) -> Result<(), Error> {
        let (Transaction::Eip4844(signed), Some(blobs)) = (&self.tx, &self.blobs) else { return Ok(()) };
        let proven = blobs.validate(&signed.tx().blob_versioned_hashes, EnvKzgSettings::Default.get());
        proven.map_err(|error| Error::server(format!("KZG verification error: {error}")))
    }
}
