//! `maidenlane`: the operator's command.

use std::process::ExitCode;

fn main() -> ExitCode {
    maidenlane_cli::main()
}
