//! The daemons as services of a real systemd: installed, started, reloaded, killed and stopped.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic, and says what it lacks")]

mod adopt;
mod deploy;
mod geth;
mod lane;
mod lifecycle;
mod nix;
mod sandbox;
mod settings;
mod start;
