//! WebSocket transport: jsonrpsee's client over a TCP or TLS stream of ours.

use super::error::Failure;
use super::options::{Credential, Options};
use super::tls;
use ::http::header::AUTHORIZATION;
use ::http::{HeaderMap, Uri};
use jsonrpsee_core::client::Client;
use jsonrpsee_core::client::async_client::RpcService;
use jsonrpsee_core::middleware::RpcServiceBuilder;
use jsonrpsee_ws_client::{PingConfig, WsClientBuilder};
use std::sync::Arc;
use tokio::net::TcpStream;

pub(super) async fn connect(uri: &Uri, options: &Options) -> Result<Client<RpcService>, Failure> {
    let secure = uri.scheme_str() == Some("wss");
    let authority = uri.host().unwrap_or_default();
    let host = authority.trim_start_matches('[').trim_end_matches(']');
    let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    // `ws` also over TLS: the stream is encrypted already, and without its own TLS jsonrpsee takes no `wss`.
    let target = format!("ws://{authority}:{port}{path}");
    let header = options.credential.as_ref().and_then(Credential::header);
    let headers: HeaderMap = header.into_iter().map(|value| (AUTHORIZATION, value)).collect();
    let pings = PingConfig::new().ping_interval(options.ping).inactive_limit(options.ping * 2);
    let client = WsClientBuilder::new()
        .set_headers(headers)
        .connection_timeout(options.connect_timeout)
        .request_timeout(options.request_timeout)
        .max_request_size(options.request_bytes_max)
        .max_response_size(options.answer_bytes_max)
        .max_concurrent_requests(options.requests_max)
        .max_buffer_capacity_per_subscription(options.notifications_max)
        .enable_ws_ping(pings)
        .set_rpc_middleware(RpcServiceBuilder::new());
    let connected = if secure {
        let stream = tls::connect(uri, Arc::new(tls::config(options)?)).await?;
        client.build_with_stream(target, stream).await
    } else {
        let connect = |error: std::io::Error| Failure::Connect(error.into());
        let stream = TcpStream::connect((host, port)).await.map_err(connect)?;
        stream.set_nodelay(true).map_err(connect)?;
        client.build_with_stream(target, stream).await
    };
    connected.map_err(|error| Failure::Connect(error.into()))
}
