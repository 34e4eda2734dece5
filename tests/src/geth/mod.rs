//! Driving a master as a consensus client would, and what only a real geth can make: chains and recorded answers.

pub mod chaingen;
pub mod engine;
pub mod record;
