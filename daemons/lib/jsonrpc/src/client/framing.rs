//! Framing of messages over TLS: a WebSocket, or lines.

use super::error::Failure;
use super::options::{Credential, Options};
use super::tls;
use crate::ipc::Values;
use ::http::Uri;
use ::http::header::AUTHORIZATION;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConfig;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// Framing of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// WebSocket messages.
    WebSocket,
    /// Lines that end with a line feed. No header goes before them, and so no credential.
    Lines,
}

type Stream = TlsStream<TcpStream>;

/// Writing end.
pub(super) enum Sink {
    WebSocket(SplitSink<WebSocketStream<Stream>, Message>),
    Lines(WriteHalf<Stream>),
}

/// Reading end.
pub(super) enum Source {
    WebSocket(SplitStream<WebSocketStream<Stream>>),
    Lines(Values<ReadHalf<Stream>>),
}

/// Connects to the server of `uri`, at the port of HTTPS where it names none.
pub(super) async fn connect(
    uri: &Uri,
    framing: Framing,
    options: &Options,
    config: Arc<ClientConfig>,
) -> Result<(Sink, Source), Failure> {
    let stream = tls::connect(uri, config).await?;
    let most = usize::try_from(options.answer_bytes_max).unwrap_or(usize::MAX);
    if framing == Framing::Lines {
        let (read, write) = tokio::io::split(stream);
        return Ok((Sink::Lines(write), Source::Lines(Values::new(read, most))));
    }
    let unreadable = |error: WsError| Failure::Unreadable(error.into());
    let mut request = uri.into_client_request().map_err(unreadable)?;
    if let Some(header) = options.credential.as_ref().and_then(Credential::header) {
        request.headers_mut().insert(AUTHORIZATION, header);
    }
    let config = WebSocketConfig::default().max_message_size(Some(most)).max_frame_size(Some(most));
    let connected = client_async_with_config(request, stream, Some(config)).await;
    let (socket, _) = connected.map_err(|error| match error {
        WsError::Http(answer) => Failure::Status(answer.status().as_u16()),
        error => Failure::Connect(error.into()),
    })?;
    let (sink, source) = socket.split();
    Ok((Sink::WebSocket(sink), Source::WebSocket(source)))
}

impl Sink {
    pub(super) async fn send(&mut self, mut message: String) -> io::Result<()> {
        match self {
            Self::WebSocket(sink) => sink.send(Message::text(message)).await.map_err(io::Error::other),
            Self::Lines(stream) => {
                message.push('\n');
                stream.write_all(message.as_bytes()).await?;
                // TLS keeps what it has not written.
                stream.flush().await
            }
        }
    }
}

impl Source {
    /// The next message; `None` at the end, of which nobody asks why.
    pub(super) async fn next(&mut self) -> Option<Vec<u8>> {
        match self {
            Self::WebSocket(stream) => loop {
                match stream.next().await?.ok()? {
                    Message::Text(text) => return Some(text.as_bytes().to_vec()),
                    Message::Binary(bytes) => return Some(bytes.to_vec()),
                    // Pings are answered by the library.
                    Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => {}
                }
            },
            Self::Lines(values) => values.next().await.ok(),
        }
    }
}
