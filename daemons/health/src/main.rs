//! `maidenlane-health`: who is fit to serve, and why not.

fn main() -> std::process::ExitCode {
    maidenlane_service::main::<maidenlane_health::Daemon>()
}
