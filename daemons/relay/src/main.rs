//! `maidenlane-relay`: keeps private orders durably, for builders.

fn main() -> std::process::ExitCode {
    maidenlane_service::main::<maidenlane_relay::Daemon>()
}
