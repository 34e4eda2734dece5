//! The harness: everything that starts real parts (geth, a broker, our own daemons) and looks at them from outside.
//!
//! The demo, the suite and every test under `tests/` share it, so what the demo shows is what the tests check. It
//! depends on no crate of the product: the product is built by [`product`] and driven through its processes, files
//! and ports, as an operator would.
//!
//! Nothing here sleeps to be in step with a process: [`wait::until`] polls a visible fact with a deadline.

#![expect(clippy::print_stdout, reason = "a terminal program: its output is for the person who started it")]

pub mod balancer;
pub mod chain;
pub mod clones;
pub mod compare;
mod connection;
pub mod daemon;
pub mod demo;
mod dice;
pub mod differ;
pub mod door;
pub mod failure;
pub mod geth;
pub mod install;
pub mod interrupt;
pub mod kafka;
pub mod libraries;
pub mod machine;
pub mod master;
pub mod measure;
pub mod nix;
pub mod process;
pub mod product;
mod progress;
pub mod replay;
pub mod reproduce;
pub mod rpc;
pub mod rpc_compat;
pub mod scenario;
pub mod settings;
pub mod socket;
pub mod stall;
pub mod suite;
pub mod traffic;
pub mod wait;
