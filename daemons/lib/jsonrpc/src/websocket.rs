//! WebSocket (RFC 6455): the upgrade of an HTTP request, and frames.

use crate::connection::{CloseReason, Disconnected, Incoming, MessageStream};
use crate::limits::Limits;
use futures_util::{SinkExt as _, StreamExt as _};
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::CapacityError;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

/// Size of buffers, which are small because thousands of connections are idle.
const BUFFER_BYTES: usize = 4_096;
/// Room for a reason in a close frame, which is a control frame of at most 125 bytes with its code.
const REASON_BYTES_MAX: usize = 123;

/// True when a request asks for an upgrade, by geth's rule.
pub(crate) fn is_wanted(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text(UPGRADE).eq_ignore_ascii_case("websocket")
        && text(CONNECTION).to_ascii_lowercase().contains("upgrade")
}

/// Handshake answer, which turns the connection into a WebSocket.
pub(crate) fn accept(method: &Method, headers: &HeaderMap) -> Result<Response<()>, &'static str> {
    if method != Method::GET {
        return Err("a WebSocket begins with GET\n");
    }
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err("unsupported WebSocket version, want 13\n");
    }
    let key = headers.get(SEC_WEBSOCKET_KEY).ok_or("Sec-WebSocket-Key is missing\n")?;
    let accept = HeaderValue::try_from(derive_accept_key(key.as_bytes()))
        .map_err(|_| "Sec-WebSocket-Key cannot be read\n")?;
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let out = response.headers_mut();
    out.insert(UPGRADE, HeaderValue::from_static("websocket"));
    out.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    out.insert(SEC_WEBSOCKET_ACCEPT, accept);
    Ok(response)
}

/// Message stream of one WebSocket.
pub(crate) struct Frames<S> {
    stream: WebSocketStream<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Frames<S> {
    pub(crate) async fn new(stream: S, limits: &Limits) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER_BYTES)
            .write_buffer_size(BUFFER_BYTES)
            .max_message_size(Some(limits.body_bytes))
            .max_frame_size(Some(limits.body_bytes));
        Self { stream: WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await }
    }

    async fn send(&mut self, message: Message) -> Result<(), Disconnected> {
        self.stream.send(message).await.map_err(|_| Disconnected)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> MessageStream for Frames<S> {
    async fn read(&mut self) -> Result<Incoming, Disconnected> {
        match self.stream.next().await.ok_or(Disconnected)? {
            Ok(Message::Text(text)) => Ok(Incoming::Message(text.into())),
            Ok(Message::Binary(bytes)) => Ok(Incoming::Message(bytes)),
            // The answers to ping and close are sent by the library, at the next read or flush.
            Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_)) => {
                Ok(Incoming::Alive)
            }
            Err(WsError::Capacity(CapacityError::MessageTooLong { .. })) => {
                Ok(Incoming::Broken(CloseReason::Size, None))
            }
            Err(WsError::Protocol(error)) => {
                Ok(Incoming::Broken(CloseReason::Policy(error.to_string()), None))
            }
            Err(WsError::Utf8(_)) => {
                Ok(Incoming::Broken(CloseReason::Policy("text is not UTF-8".to_owned()), None))
            }
            Err(_) => Err(Disconnected),
        }
    }

    async fn feed(&mut self, text: String) -> Result<(), Disconnected> {
        self.stream.feed(Message::text(text)).await.map_err(|_| Disconnected)
    }

    async fn flush(&mut self) -> Result<(), Disconnected> {
        self.stream.flush().await.map_err(|_| Disconnected)
    }

    async fn ping(&mut self) -> Result<bool, Disconnected> {
        self.send(Message::Ping(Vec::new().into())).await.map(|()| true)
    }

    async fn close(&mut self, reason: CloseReason) {
        let (code, mut reason) = match reason {
            CloseReason::Stop => (CloseCode::Away, "the server stops".to_owned()),
            CloseReason::Again(reason) => (CloseCode::Again, reason),
            CloseReason::Policy(reason) => (CloseCode::Policy, reason),
            CloseReason::Size => (CloseCode::Size, "the message is too large".to_owned()),
        };
        reason.truncate(reason.floor_char_boundary(REASON_BYTES_MAX));
        if self.send(Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await.is_ok() {
            // Until the peer has answered: closing the socket with something unread could take our frame back.
            while let Some(Ok(_)) = self.stream.next().await {}
        }
    }
}
