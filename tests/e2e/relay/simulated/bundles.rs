//! Random bundles of transactions on the generated chain: of all kinds, with contracts that show what they see of their block,
//! and now and then with one that no block can hold.

use alloy::consensus::{TxEip1559, TxEip2930, TxEip4844, TxEip4844WithSidecar, TxEip7702, TxLegacy};
use alloy::eips::eip2930::AccessListItem;
use alloy::eips::eip4844::{Blob, BlobTransactionSidecar, Bytes48};
use alloy::eips::eip7594::BlobTransactionSidecarVariant;
use alloy::eips::eip7702::Authorization;
use alloy::hex;
use alloy::primitives::U256;
use fastrand::Rng;
use maidenlane_chain::{Address, B256, Bytes};
use maidenlane_testkit::keys::{CHAIN_ID, Key};
use sha2::{Digest as _, Sha256};

const GWEI: u128 = 1_000_000_000;
/// Stores word 2 at slot word 1.
const STORES: &str = "36602014600f5760203560003555005b6000355460005260206000f3";
/// Reverts with the word that it is given.
const REVERTS: &str = "60003560005260206000fd";
/// Pays the fee recipient what it is sent; spends all gas where its input begins with another byte than zero.
const PAYS: &str = "6000351561000957fe5b600060006000600034416000f1";
/// Pays the fee recipient a number of wei that depends on all that it sees of its block but the gas limit, on the beacon root and on
/// the history of hashes.
const SEES: &str = "6001430340600052416020524260405244606052466080524860a0524a60c0524360e05260004961010052\
                    3a6101205242610160526020610180602061016073000f3df6d732807ef1319fb7b8bb8522d0beac025afa50\
                    600143036101a05260206101c060206101a0730000f90827f1c53a10cb7a02335b1753200029355afa50\
                    6101e060002061ffff166101e05260006000600060006101e051415af15000";
/// The same with the gas limit alone.
const LIMIT: &str = "45600052602060002061ffff166020526000600060006000602051415af15000";
/// Gas that one transaction may have, from Osaka on.
const GAS_MAX: u64 = 16_777_216;

/// A signed transaction.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) hash: B256,
    /// Bytes, as they are sent.
    pub(super) raw: String,
}

impl From<(B256, Bytes)> for Made {
    fn from((hash, raw): (B256, Bytes)) -> Self {
        Self { hash, raw: raw.to_string() }
    }
}

/// Something that a transaction is to do.
struct Want {
    from: usize,
    nonce: u64,
    to: Option<Address>,
    value: U256,
    input: Bytes,
    gas_limit: u64,
    tip: u128,
}

/// Maker of bundles: keys, their nonces at the head, and contracts.
pub(super) struct Maker {
    keys: Vec<Key>,
    pub(super) nonces: Vec<u64>,
    contracts: [Address; 5],
    rng: Rng,
    sidecar: BlobTransactionSidecar,
}

/// Code that deploys `code`.
fn deploying(code: &str) -> Bytes {
    let code = hex::decode(code).unwrap();
    let [high, low] = u16::try_from(code.len()).unwrap().to_be_bytes();
    let copy = [0x61, high, low, 0x80, 0x60, 12, 0x60, 0, 0x39, 0x60, 0, 0xf3];
    [&copy[..], &code].concat().into()
}

/// One blob of zeros: commitment and proof are the point at infinity.
fn sidecar() -> BlobTransactionSidecar {
    let mut infinity = [0; 48];
    infinity[0] = 0xc0;
    let [commitments, proofs] = [(); 2].map(|()| vec![Bytes48::from(infinity)]);
    BlobTransactionSidecar { blobs: vec![Blob::ZERO], commitments, proofs }
}

impl Maker {
    /// A maker whose accounts have these nonces, with its random choices.
    pub(super) fn new(nonces: &[u64], seed: u64) -> Self {
        let keys = Key::of_generated_chains();
        let nonces = nonces.to_vec();
        let at = |number: u64| keys[0].address.create(nonces[0] + number);
        let contracts = [0, 1, 2, 3, 4].map(at);
        Self { keys, nonces, contracts, rng: Rng::with_seed(seed), sidecar: sidecar() }
    }

    pub(super) fn address(&self, account: usize) -> Address {
        self.keys[account].address
    }

    /// Transactions that deploy the contracts, which come before all else.
    pub(super) fn deployments(&self) -> Vec<Made> {
        let all = [STORES, REVERTS, PAYS, SEES, LIMIT].into_iter().zip(self.nonces[0]..);
        let deploy = |(code, nonce)| {
            let (input, value) = (deploying(code), U256::ZERO);
            self.dynamic(Want { from: 0, nonce, to: None, value, input, gas_limit: 2_000_000, tip: GWEI })
        };
        all.map(deploy).collect()
    }

    fn dynamic(&self, want: Want) -> Made {
        let Want { from, nonce, to, value, input, gas_limit, tip } = want;
        self.keys[from]
            .sign(TxEip1559 {
                chain_id: CHAIN_ID,
                nonce,
                gas_limit,
                max_fee_per_gas: 200 * GWEI,
                max_priority_fee_per_gas: tip,
                to: to.into(),
                value,
                input,
                ..TxEip1559::default()
            })
            .into()
    }

    /// A number below.
    pub(super) fn roll(&mut self, below: u64) -> u64 {
        self.rng.u64(..below)
    }

    pub(super) fn word(&mut self) -> B256 {
        let mut word = [0; 32];
        self.rng.fill(&mut word);
        // As a number it has no leading zeros.
        word[0] |= 0x80;
        word.into()
    }

    /// A fee recipient: one that nobody has seen, an account that also sends, or a known one.
    pub(super) fn recipient(&mut self) -> Address {
        match self.roll(3) {
            0 => Address::from_word(self.word()),
            1 => {
                let account = self.rng.usize(..8);
                self.address(account)
            }
            _ => Address::repeat_byte(0xcb),
        }
    }

    /// A bundle of one to six transactions. With `limit` some of them look at the gas limit.
    pub(super) fn bundle(&mut self, recipient: Address, limit: bool) -> Vec<Made> {
        let mut nonces = self.nonces.clone();
        (0..self.rng.usize(1..=6)).map(|_| self.transaction(&mut nonces, recipient, limit)).collect()
    }

    fn transaction(&mut self, nonces: &mut [u64], recipient: Address, limit: bool) -> Made {
        let from = self.rng.usize(..self.keys.len());
        let nonce = nonces[from];
        nonces[from] += 1;
        let mut want = self.want(from, nonce, recipient, limit);
        match self.roll(40) {
            0 => want.nonce += 1,
            1 => want.nonce = want.nonce.saturating_sub(1),
            2 => want.value = U256::MAX >> 8,
            3 => want.gas_limit = 20_000,
            4 => want.gas_limit = GAS_MAX + 1,
            _ => {}
        }
        match (self.roll(8), want.to) {
            (0, Some(to)) => self.with_blob(want, to),
            (1, Some(to)) => self.delegating(want, to, nonces),
            (2, _) => self.legacy(want),
            (3, _) => self.listed(want),
            _ => self.dynamic(want),
        }
    }

    /// Something to do for an account.
    fn want(&mut self, from: usize, nonce: u64, recipient: Address, limit: bool) -> Want {
        let [stores, reverts, pays, sees, gas_limit] = self.contracts;
        let (word, small, slot) = (self.word(), self.rng.u8(..3), self.rng.u8(..3));
        let words = || Bytes::from([[0; 31].as_slice(), &[slot], &[0; 31], &[small]].concat());
        let word_bytes = Bytes::copy_from_slice(word.as_slice());
        let (to, value, input) = match self.roll(10) {
            0 => (Some(Address::from_word(word)), 7, Bytes::new()),
            1 => (Some(recipient), self.roll(1_000), Bytes::new()),
            2 => (Some(pays), self.roll(1_000_000), Bytes::new()),
            3 => (Some(pays), 1, word_bytes),
            4 => (Some(reverts), 0, word_bytes),
            5 => (Some(stores), 0, words()),
            6 if limit => (Some(gas_limit), 0x10000, Bytes::new()),
            6 | 7 => (Some(sees), 0x10000, Bytes::new()),
            8 => (None, u64::from(small), deploying(REVERTS)),
            _ => (None, 0, Bytes::from_static(&[0x60, 1, 0x60, 1, 0x55, 0xfe])),
        };
        let tip = u128::from(self.roll(5)) * GWEI;
        Want { from, nonce, to, value: U256::from(value), input, gas_limit: 300_000, tip }
    }

    fn with_blob(&self, want: Want, to: Address) -> Made {
        let commitment = Sha256::digest(self.sidecar.commitments[0]);
        let mut versioned: [u8; 32] = commitment.into();
        versioned[0] = 1;
        let tx = TxEip4844 {
            chain_id: CHAIN_ID,
            nonce: want.nonce,
            gas_limit: want.gas_limit,
            max_fee_per_gas: 200 * GWEI,
            max_priority_fee_per_gas: want.tip,
            max_fee_per_blob_gas: 1_000 * GWEI,
            to,
            value: want.value,
            input: want.input,
            blob_versioned_hashes: vec![versioned.into()],
            ..TxEip4844::default()
        };
        let sidecar = BlobTransactionSidecarVariant::Eip4844(self.sidecar.clone());
        self.keys[want.from].sign(TxEip4844WithSidecar { tx, sidecar }).into()
    }

    /// A call of an account that delegates its code with it, or would if the nonce were right.
    fn delegating(&mut self, want: Want, to: Address, nonces: &mut [u64]) -> Made {
        let authority = self.rng.usize(..self.keys.len());
        let is_right = self.roll(4) > 0;
        let delegate = self.rng.usize(..3);
        let authorization = Authorization {
            chain_id: U256::from(CHAIN_ID),
            address: [to, Address::ZERO, self.contracts[0]][delegate],
            nonce: nonces[authority] + u64::from(!is_right),
        };
        nonces[authority] += u64::from(is_right);
        let tx = TxEip7702 {
            chain_id: CHAIN_ID,
            nonce: want.nonce,
            gas_limit: want.gas_limit,
            max_fee_per_gas: 200 * GWEI,
            max_priority_fee_per_gas: want.tip,
            to: self.keys[authority].address,
            value: want.value,
            input: want.input,
            authorization_list: vec![self.keys[authority].authorize(authorization)],
            ..TxEip7702::default()
        };
        self.keys[want.from].sign(tx).into()
    }

    fn legacy(&self, want: Want) -> Made {
        let Want { from, nonce, to, value, input, gas_limit, .. } = want;
        let (chain_id, gas_price) = (Some(CHAIN_ID), 100 * GWEI);
        self.keys[from]
            .sign(TxLegacy { chain_id, nonce, gas_price, gas_limit, to: to.into(), value, input })
            .into()
    }

    fn listed(&self, want: Want) -> Made {
        let Want { from, nonce, to, value, input, gas_limit, .. } = want;
        let item = AccessListItem { address: self.contracts[0], storage_keys: vec![B256::ZERO] };
        let (access_list, to) = (vec![item].into(), to.into());
        let (chain_id, gas_price) = (CHAIN_ID, 100 * GWEI);
        let tx = TxEip2930 { chain_id, nonce, gas_price, gas_limit, to, value, input, access_list };
        self.keys[from].sign(tx).into()
    }

    /// A call that goes on for as long as its gas lasts.
    pub(super) fn endless(&self, from: usize, nonce: u64) -> Made {
        let input = Bytes::from_static(&[0x5b, 0x60, 0, 0x56]);
        self.dynamic(Want { from, nonce, to: None, value: U256::ZERO, input, gas_limit: GAS_MAX, tip: GWEI })
    }
}
