//! `maidenlane-replica`: replays a feed and answers JSON-RPC.

fn main() -> std::process::ExitCode {
    maidenlane_service::main::<maidenlane_replica::Daemon>()
}
