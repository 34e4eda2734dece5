//! Listeners of a daemon: from settings to bound sockets with their rules, and served until its shutdown.

use crate::access::{self, Access};
use crate::identity;
use crate::in_flight::InFlight;
use crate::roll::Roll;
use crate::tls::{Tls, TlsFiles};
use crate::{Api, Hosts, Limits, Origins, Socket, ipc, listener};
use maidenlane_config::listeners::{At, Identity, Listener, Proof, SecretFile};
use maidenlane_service::{Addresses, Exit, Failure, Shutdown, with_causes};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinSet;

/// Connections that wait to be accepted. The kernel takes less where `net.core.somaxconn` is less; that is its default.
const BACKLOG: u32 = 4_096;

/// One bound listener.
#[derive(Debug)]
pub struct BoundListener {
    socket: Socket,
    rules: Arc<listener::Listener>,
    /// IPC socket, removed at the end.
    path: Option<PathBuf>,
}

/// Binds all listeners, or none. To be called within a runtime.
///
/// # Errors
/// Naming the listener whose address or files cannot be used.
pub fn open(
    listeners: &[Listener],
    limits: Limits,
    addresses: &Addresses,
) -> Result<Vec<BoundListener>, Failure> {
    open_enrolling(listeners, limits, addresses, |_| None)
}

/// The same, where some listeners, by their names, let in those on a roll beside those whom the settings name.
///
/// # Errors
/// As [`open`].
pub fn open_enrolling(
    listeners: &[Listener],
    limits: Limits,
    addresses: &Addresses,
    roll_of: impl Fn(&str) -> Option<Roll>,
) -> Result<Vec<BoundListener>, Failure> {
    let (mut opened, in_flight) = (Vec::new(), InFlight::new(&limits));
    for listener in listeners {
        let refused = |error: String| {
            Failure::new(Exit::Settings, format!("rpc.listeners `{}`: {error}", listener.name))
        };
        let roll = roll_of(&listener.name);
        let rules = Arc::new(rules(listener, limits, in_flight.clone(), roll).map_err(refused)?);
        let (socket, path, bound) = bind(&listener.at).map_err(refused)?;
        addresses.add(&listener.name, bound)?;
        opened.push(BoundListener { socket, rules, path });
    }
    Ok(opened)
}

/// Listens with a backlog of the kernel's own size, as Go does. With the standard library's of 128 a burst of connections
/// costs everybody whose own falls into it a second: the kernel drops what asks for one, and clients ask again after that.
fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn bind(at: &At) -> Result<(Socket, Option<PathBuf>, String), String> {
    match at {
        At::Address(address) => {
            let failed = |error| format!("bind {address}: {error}");
            let listener = listen(*address).map_err(failed)?;
            let bound = listener.local_addr().map_err(failed)?.to_string();
            Ok((Socket::Tcp(listener), None, bound))
        }
        At::Socket { path, mode } => {
            let failed = |error| format!("bind {}: {error}", path.display());
            let listener = ipc::bind(path, *mode).map_err(failed)?;
            Ok((Socket::Unix(listener), Some(path.clone()), path.display().to_string()))
        }
    }
}

/// Serves until the shutdown; the end of one listener is the end of all.
///
/// # Errors
/// When a listener breaks.
pub async fn serve<A: Api>(
    listeners: Vec<BoundListener>,
    api: A,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    let api = Arc::new(api);
    let (mut serving, mut paths) = (JoinSet::new(), Vec::new());
    for BoundListener { socket, rules, path } in listeners {
        paths.extend(path);
        let (api, shutdown) = (Arc::clone(&api), shutdown.clone());
        serving.spawn(async move { crate::serve(socket, api, rules, shutdown.triggered()).await });
    }
    let mut outcome = Ok(());
    while let Some(ended) = serving.join_next().await {
        let ended = ended.map_err(std::io::Error::other).and_then(|served| served);
        if let Err(error) = ended {
            outcome = Err(Failure::new(Exit::TaskDied, error));
            break;
        }
    }
    for path in paths {
        if let Err(error) = std::fs::remove_file(&path) {
            tracing::warn!("remove {}: {error}", path.display());
        }
    }
    outcome
}

fn rules(
    listener: &Listener,
    limits: Limits,
    in_flight: InFlight,
    roll: Option<Roll>,
) -> Result<listener::Listener, String> {
    let tls = match &listener.tls {
        Some(tls) => {
            let client_ca = tls.client_ca.as_ref().map(path_of).transpose()?;
            let files =
                TlsFiles { certificate: path_of(&tls.certificate)?, key: path_of(&tls.key)?, client_ca };
            Some(Arc::new(Tls::load(files).map_err(|error| with_causes(&error))?))
        }
        None => None,
    };
    let access: Result<Vec<_>, String> = listener.access.iter().map(identity).collect();
    let access = match (access?, roll) {
        (known, Some(roll)) => Some(Access::new(known).with(roll)),
        (known, None) => Some(known).filter(|known| !known.is_empty()).map(Access::new),
    };
    let texts = |texts: &'_ [String]| texts.to_vec();
    Ok(listener::Listener {
        limits,
        in_flight,
        http: listener.http,
        websocket: listener.websocket,
        namespaces: Some(texts(&listener.namespaces)),
        origins: Origins::new(listener.origins.iter().map(String::as_str)),
        hosts: Hosts::new(listener.hosts.iter().map(String::as_str)),
        tls,
        access: access.map(Arc::new),
    })
}

fn identity(known: &Identity) -> Result<(access::Proof, identity::Identity), String> {
    let proof = match &known.proof {
        Proof::Bearer(file) => access::Proof::Bearer(secret(file)?),
        Proof::Jwt(file) => {
            let key = const_hex::decode(secret(file)?).ok().filter(|key| key.len() >= 32);
            let key = key.ok_or_else(|| {
                format!("access `{}`: a JWT key is 32 bytes or more in hexadecimal", known.name)
            })?;
            access::Proof::Jwt(key)
        }
        Proof::Certificate(name) => access::Proof::Certificate(name.clone()),
    };
    let (name, namespaces) = (known.name.clone(), known.namespaces.clone());
    let made = identity::Identity::new(name, namespaces, known.may_send, known.calls_per_s);
    let made = made.sending(known.sees_all, known.tag.clone());
    Ok((proof, made.spending(known.request_bytes_per_min)))
}

fn path_of(file: &SecretFile) -> Result<PathBuf, String> {
    file.path(maidenlane_service::env("CREDENTIALS_DIRECTORY").as_deref())
}

/// Content of a secret's file, which may end in a newline but not be empty.
fn secret(file: &SecretFile) -> Result<String, String> {
    let path = path_of(file)?;
    let text = std::fs::read_to_string(&path).map_err(|error| format!("read {}: {error}", path.display()))?;
    match text.trim() {
        "" => Err(format!("{} is empty: a secret must not be", path.display())),
        text => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_burst_of_connections_finds_room() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let _entered = runtime.enter();
        let listener = listen("127.0.0.1:0".parse().expect("an address")).expect("loopback");
        let address = listener.local_addr().expect("bound");
        // Nobody accepts.
        let connect = |_| std::net::TcpStream::connect_timeout(&address, Duration::from_millis(500));
        let burst: Vec<_> = (0..300).map_while(|number| connect(number).ok()).collect();
        assert_eq!(burst.len(), 300);
    }
}
