//! Connection to one node, made anew when it is lost, and its two questions.

use crate::pending::Answer;
use crate::upstream::breaker::Seen;
use crate::verdict::{self, Class};
use maidenlane_chain::{B256, Bytes};
use maidenlane_config::listeners::SecretFile;
use maidenlane_jsonrpc::client::{Client, ClientError, Credential, Endpoint, Failure, Options};
use maidenlane_service::with_causes;
use serde_json::Value;
use std::time::Duration;
use tokio::sync::Mutex;

/// Address of a node, and what it takes to be let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Server.
    pub endpoint: Endpoint,
    /// Files with a bearer token and a JWT key.
    pub credential: Option<Proof>,
    /// Authorities that sign its certificate; `None` for the system's.
    pub ca: Option<SecretFile>,
    /// Time for an answer.
    pub timeout: Duration,
    /// Requests at one time.
    pub lanes: usize,
}

/// Proof of who we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// File with a bearer token.
    Bearer(SecretFile),
    /// File with the key of HS256 JWTs, in hex.
    Jwt(SecretFile),
}

/// Fault before anything was sent.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// A file of the settings.
    #[error("{0}")]
    Secret(String),
    /// The node.
    #[error(transparent)]
    Client(Box<ClientError>),
}

impl From<ClientError> for LinkError {
    fn from(error: ClientError) -> Self {
        Self::Client(Box::new(error))
    }
}

/// Connection to one node.
#[derive(Debug)]
pub struct Link {
    address: Address,
    client: Mutex<Option<Client>>,
}

impl Link {
    /// No connection yet: the first request makes it.
    #[must_use]
    pub fn new(address: Address) -> Self {
        Self { address, client: Mutex::new(None) }
    }

    /// Asks the node for its chain.
    ///
    /// # Errors
    /// When it does not answer, or not with a number.
    pub async fn chain_id(&self) -> Result<u64, LinkError> {
        let id: alloy::primitives::U64 = self.call("eth_chainId", Vec::new()).await?;
        Ok(id.to())
    }

    /// Sends a transaction.
    pub async fn send(&self, hash: B256, raw: &Bytes) -> (Answer, Seen) {
        let sent = self.call::<B256>("eth_sendRawTransaction", vec![raw.to_string().into()]).await;
        let (class, reason) = match sent {
            Ok(answered) if answered == hash => (Class::Accepted, None),
            Ok(other) => (Class::Lied, Some(format!("it answered with the hash {other}"))),
            Err(error) => classed(&error),
        };
        let seen = match class {
            Class::Limited => Seen::Limit,
            class if class.is_fault() => Seen::Fault,
            _ => Seen::Answer,
        };
        (Answer::Verdict { class, reason }, seen)
    }

    /// Asks whether the node knows a transaction.
    pub async fn look(&self, hash: B256) -> (Answer, Seen) {
        let found = self.call::<Option<Value>>("eth_getTransactionByHash", vec![hash.to_string().into()]);
        match found.await {
            Ok(None) => (Answer::Looked(false), Seen::Answer),
            Ok(Some(found)) if names(&found, hash) => (Answer::Looked(true), Seen::Answer),
            Ok(Some(_)) => (Answer::Busy, Seen::Fault),
            Err(error) => match classed(&error).0 {
                Class::Limited => (Answer::Busy, Seen::Limit),
                class if class.is_fault() => (Answer::Busy, Seen::Fault),
                _ => (Answer::Busy, Seen::Answer),
            },
        }
    }

    async fn call<R: serde::de::DeserializeOwned>(
        &self,
        method: &str,
        params: Vec<Value>,
    ) -> Result<R, LinkError> {
        let client = self.client().await?;
        // On the heap: every lane of every node holds one of these.
        Ok(Box::pin(client.call(method, params)).await?)
    }

    /// The connection, made anew if it was lost. Others that want it meanwhile wait for the same one.
    async fn client(&self) -> Result<Client, LinkError> {
        let mut slot = self.client.lock().await;
        if let Some(client) = slot.as_ref().filter(|client| client.is_connected()) {
            return Ok(client.clone());
        }
        let connecting = Client::connect(self.address.endpoint.clone(), self.address.options()?);
        let client = Box::pin(connecting).await?;
        Ok(slot.insert(client).clone())
    }
}

impl Address {
    fn options(&self) -> Result<Options, LinkError> {
        let credential = match &self.credential {
            Some(Proof::Bearer(file)) => Some(Credential::Bearer(read(file)?)),
            Some(Proof::Jwt(file)) => {
                let text = read(file)?;
                let key = text.parse::<Bytes>();
                let key = key.map_err(|_| LinkError::Secret("a JWT key is not hexadecimal".to_owned()))?;
                Some(Credential::Jwt(key.to_vec()))
            }
            None => None,
        };
        let ca = self.ca.as_ref().map(path).transpose()?;
        Ok(Options {
            connect_timeout: self.timeout,
            request_timeout: self.timeout,
            answer_bytes_max: ANSWER_BYTES_MAX,
            requests_max: self.lanes + 1,
            credential,
            ca,
            ..Options::default()
        })
    }
}

/// Largest answer: a transaction with all that it may carry, in hex, and room for a provider's words.
const ANSWER_BYTES_MAX: u32 = 4 << 20;

fn path(file: &SecretFile) -> Result<std::path::PathBuf, LinkError> {
    let credentials = maidenlane_service::env("CREDENTIALS_DIRECTORY");
    file.path(credentials.as_deref()).map_err(LinkError::Secret)
}

fn read(file: &SecretFile) -> Result<String, LinkError> {
    let path = path(file)?;
    let text = std::fs::read_to_string(&path);
    let text = text.map_err(|error| LinkError::Secret(format!("read {}: {error}", path.display())))?;
    Ok(text.trim().to_owned())
}

fn names(found: &Value, hash: B256) -> bool {
    let named = found.get("hash").and_then(Value::as_str).map(str::parse::<B256>);
    named.is_some_and(|named| named.is_ok_and(|named| named == hash))
}

/// Class of a failure, with the node's words.
fn classed(error: &LinkError) -> (Class, Option<String>) {
    let LinkError::Client(failed) = error else { return (Class::Unanswered, Some(error.to_string())) };
    match &failed.failure {
        Failure::Rpc(error) => {
            let data =
                error.data.as_ref().and_then(|data| serde_json::from_str::<String>(data.as_str()).ok());
            let text = match data {
                Some(data) if !error.message.contains(&data) => format!("{}: {data}", error.message),
                _ => error.message.to_string(),
            };
            (verdict::of_error(error.code, &text), Some(text))
        }
        Failure::Status(status) => (verdict::of_status(*status), Some(format!("HTTP status {status}"))),
        other => (Class::Unanswered, Some(with_causes(other))),
    }
}
