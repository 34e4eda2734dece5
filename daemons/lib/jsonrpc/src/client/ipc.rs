//! IPC transport for jsonrpsee's client: JSON values on a Unix socket.

use super::error::Failure;
use super::options::Options;
use crate::ipc::{ValueError, Values};
use jsonrpsee_core::client::async_client::RpcService;
use jsonrpsee_core::client::{Client, ClientBuilder, ReceivedMessage, TransportReceiverT, TransportSenderT};
use jsonrpsee_core::middleware::RpcServiceBuilder;
use std::io;
use std::path::Path;
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

pub(super) async fn connect(path: &Path, options: &Options) -> Result<Client<RpcService>, Failure> {
    let stream = UnixStream::connect(path).await.map_err(|error| Failure::Connect(error.into()))?;
    let (read, write) = stream.into_split();
    let most = usize::try_from(options.answer_bytes_max).unwrap_or(usize::MAX);
    // Without pings: the kernel knows whether the server's process lives.
    Ok(ClientBuilder::new()
        .request_timeout(options.request_timeout)
        .max_concurrent_requests(options.requests_max)
        .max_buffer_capacity_per_subscription(options.notifications_max)
        .set_rpc_middleware(RpcServiceBuilder::new())
        .build_with_tokio(Sender(write), Receiver(Values::new(read, most))))
}

struct Sender(OwnedWriteHalf);

impl TransportSenderT for Sender {
    type Error = io::Error;

    async fn send(&mut self, mut message: String) -> io::Result<()> {
        message.push('\n');
        self.0.write_all(message.as_bytes()).await
    }

    async fn close(&mut self) -> io::Result<()> {
        self.0.shutdown().await
    }
}

struct Receiver(Values<OwnedReadHalf>);

impl TransportReceiverT for Receiver {
    type Error = ValueError;

    async fn receive(&mut self) -> Result<ReceivedMessage, ValueError> {
        self.0.next().await.map(ReceivedMessage::Bytes)
    }
}
