//! haproxy with the configuration that is shipped, in front of servers of a test's choice.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::{
    failure::{Doing, Failure, Outcome},
    kafka::free_port,
    process::Process,
    product, wait,
};

/// How long it may take to listen.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// Addresses in the place of those in the shipped configuration.
#[derive(Debug)]
pub struct Places<'a> {
    /// HTTP and agent listeners of two health checkers.
    pub checkers: [(&'a str, &'a str); 2],
    /// JSON-RPC of three replicas.
    pub replicas: [&'a str; 3],
}

/// A running haproxy.
#[derive(Debug)]
pub struct Balancer {
    address: String,
    socket: PathBuf,
    /// Kept for its drop.
    _process: Process,
}

impl Balancer {
    /// Starts it in `dir`.
    ///
    /// # Errors
    /// The configuration is not what it was when this was written, or haproxy does not start.
    pub fn start(dir: &Path, places: &Places<'_>) -> Outcome<Self> {
        let address = free_port().map_err(Failure::new)?.to_string();
        let socket = dir.join("haproxy.sock");
        let shipped = product::root().join("daemons/health/haproxy.cfg");
        let mut text = fs::read_to_string(&shipped).doing(|| format!("read {}", shipped.display()))?;
        let mut put = |from: String, to: String| {
            if !text.contains(&from) {
                return Err(Failure::new(format!("{} has no `{from}`", shipped.display())));
            }
            text = text.replace(&from, &to);
            Ok(())
        };
        put("bind 127.0.0.1:8500".to_owned(), format!("bind {address}"))?;
        put("/run/haproxy/admin.sock".to_owned(), socket.display().to_string())?;
        for (number, (http, agent)) in (1..).zip(places.checkers) {
            let (was_http, was_agent) = (9_460 + number * 10, 9_461 + number * 10);
            put(format!("health-{number} 127.0.0.1:{was_http}"), format!("health-{number} {http}"))?;
            let port = agent.rsplit(':').next().unwrap_or_default();
            put(format!("agent-port {was_agent}"), format!("agent-port {port}"))?;
        }
        for (number, replica) in (1..).zip(places.replicas) {
            put(
                format!("replica-{number} 127.0.0.1:{}", 8_544 + number),
                format!("replica-{number} {replica}"),
            )?;
        }
        let config = dir.join("haproxy.cfg");
        fs::write(&config, text).doing(|| format!("write {}", config.display()))?;
        let mut command = Command::new("haproxy");
        command.arg("-db").arg("-f").arg(&config);
        let mut process = Process::start("haproxy", &mut command, &dir.join("haproxy.log"))?;
        wait::until("haproxy to listen", START_TIMEOUT, || match process.alive() {
            Err(dead) => Ok(Err(dead)),
            Ok(()) => UnixStream::connect(&socket).map(|_| Ok(())).map_err(|error| error.to_string()),
        })??;
        Ok(Self { address, socket, _process: process })
    }

    /// Where clients go.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Word of haproxy on a server of a backend: `status` is `UP`, `DOWN (agent)`, `DRAIN` or `MAINT`, `weight` a number.
    ///
    /// # Errors
    /// It has gone, or has no such server or field.
    pub fn told(&self, backend: &str, server: &str, field: &str) -> Outcome<String> {
        let mut stream = UnixStream::connect(&self.socket).doing(|| "ask haproxy".to_owned())?;
        stream.write_all(b"show stat\n").doing(|| "ask haproxy".to_owned())?;
        let mut text = String::new();
        stream.read_to_string(&mut text).doing(|| "read what haproxy says".to_owned())?;
        let mut lines = text.lines();
        let names: Vec<&str> = lines.next().unwrap_or_default().trim_start_matches("# ").split(',').collect();
        let column = names.iter().position(|name| *name == field);
        let row = lines.map(|line| line.split(',').collect::<Vec<_>>());
        let mut row = row.filter(|row| row.first() == Some(&backend) && row.get(1) == Some(&server));
        let found = row.next().and_then(|row| row.get(column?).map(|told| (*told).to_owned()));
        found
            .ok_or_else(|| Failure::new(format!("haproxy tells no {field} of {server} in {backend}: {text}")))
    }
}
