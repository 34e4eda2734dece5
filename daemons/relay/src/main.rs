//! `maidenlane-relay`: keeps private orders durably and delivers them to builders.

fn main() -> std::process::ExitCode {
    maidenlane_service::main::<maidenlane_relay::Daemon>()
}
