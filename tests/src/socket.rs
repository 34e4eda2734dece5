//! A JSON-RPC client over WebSocket, with the subscriptions opened on it.

use std::{collections::VecDeque, io::ErrorKind, net::TcpStream, time::Duration};

use serde_json::{Value, json};
use tungstenite::{
    Message, WebSocket,
    client::{IntoClientRequest, client_with_config},
    http::{HeaderValue, header::AUTHORIZATION},
    protocol::WebSocketConfig,
};

use crate::failure::{Doing, Failure, Outcome};

/// A server that is silent for so long gives [`Socket::notification`]'s caller the turn.
const SILENCE: Duration = Duration::from_millis(200);
/// No test asks for more. Geth sends a message as one frame, however long.
const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// One connection.
#[derive(Debug)]
pub struct Socket {
    stream: WebSocket<TcpStream>,
    /// Notifications that came while an answer was waited for.
    early: VecDeque<Value>,
    asked: u64,
    /// True if messages say that they are JSON-RPC.
    says_so: bool,
}

impl Socket {
    /// Connects to the server at an `http://host:port`, or at a path there.
    ///
    /// # Errors
    /// Nobody is there who speaks it.
    pub fn connect(url: &str) -> Outcome<Self> {
        Self::open(url, None)
    }

    /// The same with a bearer token.
    ///
    /// # Errors
    /// Nobody is there who speaks it, or lets in who has it.
    pub fn connect_as(url: &str, token: &str) -> Outcome<Self> {
        Self::open(url, Some(token))
    }

    fn open(url: &str, token: Option<&str>) -> Outcome<Self> {
        let address = url.strip_prefix("http://").unwrap_or(url).trim_end_matches('/');
        let host = address.split('/').next().unwrap_or(address);
        let stream = TcpStream::connect(host).doing(|| format!("connect to {host}"))?;
        let limit = Some(MESSAGE_BYTES_MAX);
        let config = WebSocketConfig::default().max_message_size(limit).max_frame_size(limit);
        let request = format!("ws://{address}").into_client_request();
        let mut request = request.doing(|| format!("ask {address} for a WebSocket"))?;
        if let Some(token) = token {
            let header = format!("Bearer {token}").parse::<HeaderValue>();
            request.headers_mut().insert(AUTHORIZATION, header.doing(|| "write a token".to_owned())?);
        }
        let upgraded = client_with_config(request, stream, Some(config));
        let (stream, _) = upgraded.doing(|| format!("speak WebSocket to {address}"))?;
        stream.get_ref().set_read_timeout(Some(SILENCE))?;
        Ok(Self { stream, early: VecDeque::new(), asked: 0, says_so: true })
    }

    /// Speaks the protocol of browsers from now on: JSON-RPC that does not say so.
    #[must_use]
    pub fn to_a_browser(self) -> Self {
        Self { says_so: false, ..self }
    }

    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// The connection has ended.
    pub fn respond(&mut self, method: &str, params: &Value) -> Outcome<Value> {
        let id = json!(self.ask(method, params)?);
        loop {
            match self.receive()? {
                Some(message) if message.get("id") == Some(&id) => return Ok(message),
                Some(message) => self.early.push_back(message),
                None => {}
            }
        }
    }

    /// Asks without waiting, and returns the id.
    ///
    /// # Errors
    /// The connection has ended.
    pub fn ask(&mut self, method: &str, params: &Value) -> Outcome<u64> {
        self.asked += 1;
        let mut request = json!({"id": self.asked, "method": method, "params": params});
        if let Some(fields) = request.as_object_mut().filter(|_| self.says_so) {
            fields.insert("jsonrpc".to_owned(), "2.0".into());
        }
        self.stream.send(Message::text(request.to_string())).doing(|| format!("ask {method}"))?;
        Ok(self.asked)
    }

    /// The next notification, or `None` after a moment of silence.
    ///
    /// # Errors
    /// The connection has ended.
    pub fn notification(&mut self) -> Outcome<Option<Value>> {
        if let Some(message) = self.early.pop_front() {
            return Ok(Some(message));
        }
        self.receive()
    }

    fn receive(&mut self) -> Outcome<Option<Value>> {
        loop {
            match self.stream.read() {
                Ok(Message::Text(text)) => return Ok(Some(serde_json::from_str(&text)?)),
                Ok(Message::Close(why)) => return Err(Failure::new(format!("closed: {why:?}"))),
                // Pings are answered by the library.
                Ok(_) => {}
                Err(tungstenite::Error::Io(error))
                    if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) =>
                {
                    return Ok(None);
                }
                Err(error) => return Err(Failure::new(format!("the connection has ended: {error}"))),
            }
        }
    }
}
