//! `maidenlane-emitter`: delivers transactions, and tells what became of them.

fn main() -> std::process::ExitCode {
    maidenlane_service::main::<maidenlane_emitter::Daemon>()
}
