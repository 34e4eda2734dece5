//! `maidenlane-tap`: publishes one master's canonical history.

fn main() -> std::process::ExitCode {
    maidenlane_service::main::<maidenlane_tap::Daemon>()
}
