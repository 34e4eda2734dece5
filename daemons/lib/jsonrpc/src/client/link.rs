//! Link to one server: its address, what it takes to be let in, and a connection that is made anew when it is lost.

use super::Client;
use super::endpoint::Endpoint;
use super::error::ClientError;
use super::expiry::Expiry;
use super::options::{Credential, Options};
use maidenlane_config::listeners::SecretFile;
use maidenlane_config::{Checker, credentials};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio::sync::Mutex;

/// Address of a server, and what it takes to be let in: as settings have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// Server.
    pub endpoint: Endpoint,
    /// Files with a bearer token, a JWT key or a key for the address's path.
    pub credential: Option<credentials::Credential>,
    /// Authorities that sign its certificate; `None` for the system's.
    pub ca: Option<SecretFile>,
    /// Time to connect, and for an answer.
    pub timeout: Duration,
    /// Requests at one time.
    pub requests_max: usize,
    /// Bytes of an answer.
    pub answer_bytes_max: u32,
}

/// Fault of a request.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// A file of the settings.
    #[error("{0}")]
    Secret(String),
    /// The server.
    #[error(transparent)]
    Client(Box<ClientError>),
}

impl From<ClientError> for LinkError {
    fn from(error: ClientError) -> Self {
        Self::Client(Box::new(error))
    }
}

/// Link to one server.
#[derive(Debug)]
pub struct Link {
    remote: Remote,
    expiry: Option<Expiry>,
    client: Mutex<Option<Client>>,
}

impl Link {
    /// No connection yet: the first request makes it.
    #[must_use]
    pub fn new(remote: Remote) -> Self {
        Self { remote, expiry: None, client: Mutex::new(None) }
    }

    /// The same, with the expiry of the server's certificate noted.
    #[must_use]
    pub fn noting(remote: Remote, expiry: Expiry) -> Self {
        Self { expiry: Some(expiry), ..Self::new(remote) }
    }

    /// Calls a method, as [`Client::call`].
    pub async fn call<R: DeserializeOwned>(
        &self,
        method: &str,
        params: impl Serialize,
    ) -> Result<R, LinkError> {
        let client = self.client().await?;
        // On the heap: callers hold many of these.
        Ok(Box::pin(client.call(method, params)).await?)
    }

    /// The connection, made anew if it was lost. Others that want it meanwhile wait for the same one.
    pub async fn client(&self) -> Result<Client, LinkError> {
        let mut slot = self.client.lock().await;
        if let Some(client) = slot.as_ref().filter(|client| client.is_connected()) {
            return Ok(client.clone());
        }
        let options = Options { expiry: self.expiry.clone(), ..self.remote.options()? };
        let connecting = Client::connect(self.remote.address()?, options);
        let client = Box::pin(connecting).await?;
        Ok(slot.insert(client).clone())
    }

    /// Drops the connection: the next request makes another one. For servers that owe an answer, which may never come, and for
    /// what only a handshake shows.
    pub async fn forget(&self) {
        *self.client.lock().await = None;
    }
}

impl Remote {
    /// Refuses, at `field`, a credential that everybody on the way could read and use. A JWT that was read is of use for a
    /// minute only, and nodes serve their authenticated ports without TLS.
    pub fn refuse_readable(&self, field: &str, checker: &mut Checker) {
        let lasts = matches!(
            self.credential,
            Some(credentials::Credential::Bearer(_) | credentials::Credential::Path(_))
        );
        if lasts && self.endpoint.is_readable_on_the_way() {
            let text =
                "could be read on its way; use https:// or wss://, or a tunnel that begins on this machine";
            checker.wrong(field, text);
        }
    }

    /// Notes files of its secrets that cannot be used. What the service manager hands over is there only where it starts the
    /// daemon.
    pub fn on_machine(&self, checker: &mut Checker) {
        let manager = maidenlane_service::env("CREDENTIALS_DIRECTORY").is_some();
        let here = |file: &SecretFile| manager || matches!(file, SecretFile::Path(_));
        let secret = self.credential.as_ref().map(|credential| match credential {
            credentials::Credential::Bearer(file)
            | credentials::Credential::Jwt(file)
            | credentials::Credential::Path(file) => file,
        });
        if let Some(file) = secret.filter(|file| here(file)) {
            let used = match read(file) {
                Ok(text) if text.is_empty() => Err(LinkError::Secret("the file is empty".to_owned())),
                Ok(_) => self.address().and_then(|_| self.options().map(drop)),
                Err(error) => Err(error),
            };
            checker.take("credential", used);
        }
        if let Some(file) = self.ca.as_ref().filter(|file| here(file)) {
            checker.take("ca", read(file));
        }
    }

    /// Address with the key in its path, if one belongs there.
    ///
    /// # Errors
    /// [`LinkError::Secret`] when the file cannot be read, or holds what no path can.
    pub fn address(&self) -> Result<Endpoint, LinkError> {
        let Some(credentials::Credential::Path(file)) = &self.credential else {
            return Ok(self.endpoint.clone());
        };
        let within = self.endpoint.within(&read(file)?);
        within.ok_or_else(|| LinkError::Secret("the key is no part of a URL's path".to_owned()))
    }

    /// Options of a client, with the secrets that the settings name.
    ///
    /// # Errors
    /// [`LinkError::Secret`] when a file cannot be read.
    pub fn options(&self) -> Result<Options, LinkError> {
        let credential = match &self.credential {
            Some(credentials::Credential::Bearer(file)) => Some(Credential::Bearer(read(file)?)),
            Some(credentials::Credential::Jwt(file)) => {
                let text = read(file)?;
                let key = const_hex::decode(&text);
                let key = key.map_err(|_| LinkError::Secret("a JWT key is not hexadecimal".to_owned()))?;
                Some(Credential::Jwt(key))
            }
            // A part of the address.
            Some(credentials::Credential::Path(_)) | None => None,
        };
        let ca = self.ca.as_ref().map(path).transpose()?;
        Ok(Options {
            connect_timeout: self.timeout,
            request_timeout: self.timeout,
            answer_bytes_max: self.answer_bytes_max,
            requests_max: self.requests_max,
            credential,
            ca,
            ..Options::default()
        })
    }
}

fn path(file: &SecretFile) -> Result<std::path::PathBuf, LinkError> {
    let credentials = maidenlane_service::env("CREDENTIALS_DIRECTORY");
    file.path(credentials.as_deref()).map_err(LinkError::Secret)
}

/// The secret in a file, without what stands around it.
///
/// # Errors
/// [`LinkError::Secret`].
pub fn read(file: &SecretFile) -> Result<String, LinkError> {
    let path = path(file)?;
    let text = std::fs::read_to_string(&path);
    let text = text.map_err(|error| LinkError::Secret(format!("read {}: {error}", path.display())))?;
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Link, Remote};
    use maidenlane_config::credentials::Credential;
    use maidenlane_config::listeners::SecretFile;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::time::Duration;

    #[test]
    fn a_key_in_a_file_goes_behind_the_address_and_into_no_text() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let asked = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut asked = [0; 1_024];
            let read = stream.read(&mut asked).expect("a request");
            stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").expect("writable");
            String::from_utf8_lossy(asked.get(..read).unwrap_or_default()).into_owned()
        });
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("key");
        std::fs::write(&file, "k3y\n").expect("writable");
        let link = Link::new(Remote {
            endpoint: format!("http://{address}/v3/").parse().expect("an address"),
            credential: Some(Credential::Path(SecretFile::Path(file))),
            ca: None,
            timeout: Duration::from_secs(10),
            requests_max: 1,
            answer_bytes_max: 1 << 10,
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let refused = runtime.block_on(link.call::<String>("web3_clientVersion", ())).expect_err("refused");
        let asked = asked.join().expect("no panic");
        assert!(asked.starts_with("POST /v3/k3y HTTP/1.1\r\n"), "{asked}");
        assert!(!format!("{link:?} {refused:?} {refused}").contains("k3y"), "{link:?} {refused:?}");
    }
}
