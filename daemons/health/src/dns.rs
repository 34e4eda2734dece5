//! DNS: who serves, for clients and resolvers that find nodes by name. Authoritative for one zone, over UDP and TCP.

use crate::allow::Allow;
use crate::hub::Views;
use crate::listen;
use crate::zone::{DATAGRAM_BYTES_MAX, Zone};
use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use maidenlane_service::{Addresses, Exit, Failure, Shutdown, TaskGroup};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};

/// Largest question over TCP.
const QUESTION_BYTES_MAX: u16 = 4_096;
/// Connections at one time.
const CLIENTS_MAX: usize = 128;
/// Time for which a connection may be silent.
const SILENT_MAX: Duration = Duration::from_secs(5);
/// Pause after a failure to receive.
const RECEIVE_AGAIN: Duration = Duration::from_millis(200);

/// Settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Zone.
    pub zone: Zone,
    /// Address, over UDP and TCP.
    pub listen: SocketAddr,
}

/// Source of answers.
#[derive(Clone, Debug)]
struct Source {
    zone: Zone,
    views: Views,
}

/// Binds the listeners and answers until the shutdown.
///
/// # Errors
/// When the address cannot be bound.
pub async fn start(
    settings: &Settings,
    views: &Views,
    allow: &Allow,
    addresses: &Addresses,
    tasks: &TaskGroup,
) -> Result<(), Failure> {
    let connections = listen::bind("dns", settings.listen, addresses).await?;
    let refused =
        |error| Failure::new(Exit::Settings, format!("dns.listen {} over UDP: {error}", settings.listen));
    // The same port, also where the settings leave it open.
    let at = connections.local_addr().map_err(refused)?;
    let datagrams = UdpSocket::bind(at).await.map_err(refused)?;
    let source = Source { zone: settings.zone.clone(), views: views.clone() };
    let shutdown = tasks.shutdown().clone();
    tasks.spawn("dns", serve_udp(datagrams, source.clone(), allow.clone(), shutdown.clone()));
    let answer = move |stream| converse(stream, source.clone());
    tasks.spawn("dns over TCP", listen::serve(connections, (allow.clone(), CLIENTS_MAX), shutdown, answer));
    Ok(())
}

impl Source {
    /// Answer to a message, in no more bytes than that; `None` for what is no question, and for all of them while nothing is
    /// known.
    fn answer(&self, bytes: &[u8], most: u16) -> Option<Vec<u8>> {
        match Message::from_vec(bytes) {
            Ok(asked) if asked.metadata.message_type == MessageType::Query => {
                let view = self.views.now();
                // Resolvers ask another server of the zone.
                let answer = view.holds(self.views.at()).then(|| self.zone.answer(&asked, &view))?;
                let fits = |bytes: &Vec<u8>| bytes.len() <= usize::from(most);
                answer.to_vec().ok().filter(fits).or_else(|| answer.truncate().to_vec().ok())
            }
            // An answer to an answer would be answered for ever.
            Ok(_) => None,
            Err(_) => {
                let id = u16::from_be_bytes(*bytes.first_chunk::<2>()?);
                Message::error_msg(id, OpCode::Query, ResponseCode::FormErr).to_vec().ok()
            }
        }
    }
}

/// Bytes of a datagram that whoever asks takes, as far as that is known.
fn taken(bytes: &[u8]) -> u16 {
    Message::from_vec(bytes).map_or(512, |asked| asked.max_payload().clamp(512, DATAGRAM_BYTES_MAX))
}

/// Answers datagrams until the shutdown.
///
/// # Errors
/// None: what fails is one question.
async fn serve_udp(
    socket: UdpSocket,
    source: Source,
    allow: Allow,
    shutdown: Shutdown,
) -> Result<(), Failure> {
    let mut bytes = [0; DATAGRAM_BYTES_MAX as usize];
    while let Some(received) = shutdown.unless(socket.recv_from(&mut bytes)).await {
        let (length, client) = match received {
            Ok(received) => received,
            Err(error) => {
                tracing::warn!("dns: receive: {error}");
                shutdown.unless(tokio::time::sleep(RECEIVE_AGAIN)).await;
                continue;
            }
        };
        let asked = bytes.get(..length).filter(|_| allow.admits(client.ip()));
        let Some(answer) = asked.and_then(|asked| source.answer(asked, taken(asked))) else { continue };
        if let Err(error) = socket.send_to(&answer, client).await {
            tracing::debug!("dns: answer {client}: {error}");
        }
    }
    Ok(())
}

/// Answers one connection, question by question.
async fn converse(mut stream: TcpStream, source: Source) -> io::Result<()> {
    loop {
        let asked = tokio::time::timeout(SILENT_MAX, question(&mut stream)).await??;
        let Some(answer) = source.answer(&asked, u16::MAX) else { return Ok(()) };
        let Ok(length) = u16::try_from(answer.len()) else { return Ok(()) };
        let framed = [&length.to_be_bytes(), answer.as_slice()].concat();
        tokio::time::timeout(SILENT_MAX, stream.write_all(&framed)).await??;
    }
}

/// A message behind its length.
async fn question(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = stream.read_u16().await?;
    if length > QUESTION_BYTES_MAX {
        return Err(io::Error::other(format!("a question of {length} bytes")));
    }
    let mut bytes = vec![0; usize::from(length)];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}
