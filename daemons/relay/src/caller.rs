//! Caller of a request: the signer of a request, or the identity that its connection proved.

use crate::signature::{Unsigned, verify};
use maidenlane_chain::{Address, B256, keccak256};
use maidenlane_jsonrpc::json::{Json, push_str};
use maidenlane_jsonrpc::{Error, Owner, codes};

/// Headers that carry a signature; the first that is there counts.
const HEADERS: [&str; 2] = ["x-flashbots-signature", "x-buildernet-signature"];

/// Circumstances of one request.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Signer and hash of the body, where there is a signature.
    signed: Result<(Address, B256), Unsigned>,
    owner: Owner,
    /// Query of the address that was posted to, where wallets have their preferences.
    query: String,
}

impl Default for Caller {
    fn default() -> Self {
        Self { signed: Err(Unsigned::Missing), owner: Owner::default(), query: String::new() }
    }
}

impl Caller {
    /// The same caller with what a request over HTTP says of its signer.
    #[must_use]
    pub fn signed(self, headers: &http::HeaderMap, body: &[u8]) -> Self {
        let header = HEADERS.iter().find_map(|name| headers.get(*name));
        let signed = match header.map(http::HeaderValue::to_str) {
            None => Err(Unsigned::Missing),
            Some(Ok(header)) => verify(Some(header), body),
            Some(Err(_)) => Err(Unsigned::Form),
        };
        Self { signed, ..self }
    }

    /// The same caller with what the address of a request over HTTP says.
    #[must_use]
    pub fn asking(self, uri: &http::Uri) -> Self {
        Self { query: uri.query().unwrap_or_default().to_owned(), ..self }
    }

    /// Query of the address that was posted to.
    #[must_use]
    pub fn query(&self) -> &str {
        &self.query
    }

    /// Address that orders of a wallet belong to: as of others, or, where nobody signed the request, that of the transaction's
    /// sender, who signed at least that.
    ///
    /// # Errors
    /// When there is a signature, and it is wrong.
    pub fn wallet(&self, sender: Address) -> Result<Address, Unsigned> {
        match self.signer() {
            Err(Unsigned::Missing) => Ok(sender),
            other => other,
        }
    }

    /// The same caller as the owner of what it causes.
    #[must_use]
    pub fn owned(self, owner: Owner) -> Self {
        Self { owner, ..self }
    }

    /// Name of the identity, where one was proved.
    #[must_use]
    pub fn identity(&self) -> Option<&str> {
        self.owner.known_as()
    }

    /// Address that orders belong to: the signer's. An identity that signs nothing, as on a WebSocket, has an address of its own,
    /// which no key can sign for.
    ///
    /// # Errors
    /// When there is neither, or the signature is wrong.
    pub fn signer(&self) -> Result<Address, Unsigned> {
        match (&self.signed, self.identity()) {
            (Ok((signer, _)), _) => Ok(*signer),
            (Err(Unsigned::Missing), Some(name)) => {
                Ok(Address::from_word(keccak256(format!("maidenlane identity {name}"))))
            }
            (Err(unsigned), _) => Err(*unsigned),
        }
    }

    /// Name by which a repeat of a call is known, where it is signed: what is not signed comes over a connection that
    /// nobody repeats.
    #[must_use]
    pub fn repeat(&self, method: &str, params: &str) -> Option<(Address, B256)> {
        let (signer, body) = self.signed.ok()?;
        let call = keccak256([body.as_slice(), method.as_bytes(), &[0], params.as_bytes()].concat());
        Some((signer, call))
    }
}

impl From<Unsigned> for Error {
    fn from(unsigned: Unsigned) -> Self {
        let data = Json::object(|object| push_str(object.value("reason"), unsigned.reason()));
        Self::new(codes::INVALID_REQUEST, unsigned.to_string()).with_data(data)
    }
}
