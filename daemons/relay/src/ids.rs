//! Names that everybody gives a bundle: its hash and its UUID. Clients and builders look bundles up by them.
//!
//! Neither tells two bundles apart: the hash speaks of transactions alone, the UUID neither of the signer nor of replacements.
//! Within this daemon an order is known by its content id, [`Bundle::content`].

use maidenlane_chain::{B256, keccak256};
use maidenlane_wire::{Bundle, BundleVersion};
use sha2::{Digest as _, Sha256};
use uuid::{Builder, Uuid};

/// Hash of a bundle: keccak256 of the hashes of its transactions, one after the other.
#[must_use]
pub fn bundle_hash(transactions: &[B256]) -> B256 {
    keccak256(bytes(transactions))
}

/// UUID of a bundle, as builders of the BuilderNet kind compute it: of version 5 by its marks, with SHA-256 in place of SHA-1.
#[must_use]
pub fn uuid(bundle: &Bundle, hash: B256) -> Uuid {
    let mut text = Vec::new();
    match bundle.version {
        BundleVersion::V1 => {
            // Of the version that had them first, the block is a signed number.
            varint(&mut text, bundle.blocks.0 << 1);
            text.extend(hash.0);
            text.extend(sorted(&bundle.reverting));
        }
        BundleVersion::V2 => {
            varint(&mut text, bundle.blocks.0);
            varint(&mut text, bundle.min_timestamp.unwrap_or(0));
            varint(&mut text, bundle.max_timestamp.unwrap_or(u64::MAX));
            varint(&mut text, count(&bundle.reverting));
            varint(&mut text, count(&bundle.dropping));
            text.extend(hash.0);
            text.extend(sorted(&bundle.reverting));
            text.extend(sorted(&bundle.dropping));
            if let Some(refund) = &bundle.refund {
                text.push(refund.percent.to_le_bytes()[0]);
                text.extend(refund.recipient.0);
                varint(&mut text, 1);
                text.extend(refund.tx.0);
            }
        }
    }
    // The name space of all such UUIDs: zeros.
    let digest = Sha256::new().chain_update([0; 16]).chain_update(text).finalize();
    let mut first = [0; 16];
    first.iter_mut().zip(digest).for_each(|(to, byte)| *to = byte);
    Builder::from_sha1_bytes(first).into_uuid()
}

fn count(hashes: &[B256]) -> u64 {
    u64::try_from(hashes.len()).unwrap_or(u64::MAX)
}

fn bytes(hashes: &[B256]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

fn sorted(hashes: &[B256]) -> Vec<u8> {
    let mut hashes = hashes.to_vec();
    hashes.sort_unstable();
    bytes(&hashes)
}

/// Go's `binary.AppendUvarint`: seven bits a byte, the lowest first.
fn varint(out: &mut Vec<u8>, mut rest: u64) {
    while rest >= 0x80 {
        out.push(rest.to_le_bytes()[0] | 0x80);
        rest >>= 7;
    }
    out.push(rest.to_le_bytes()[0]);
}
