//! `maidenlane decode …`: bytes to JSON, with the decoders that the daemons run on.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use alloy::{
    consensus::{Block, ReceiptEnvelope, TxEnvelope},
    eips::eip2718::Decodable2718,
    primitives::hex,
    rlp::Decodable,
};
use clap::{Args, Subcommand};
use maidenlane_wire::{frame, frame_to_json};
use serde_json::Value;

use crate::{error::Error, output::Output};

/// No input is longer: far above any block.
const INPUT_MAX_BYTES: u64 = 1 << 30;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// A block: its consensus RLP
    Block(Input),
    /// A transaction: RLP, or type byte and payload
    Tx(Input),
    /// A receipt: RLP, or type byte and payload
    Receipt(Input),
    /// Frames of a spool segment, one line each
    Frame(Input),
    /// An entry of any topic
    Record(Input),
}

#[derive(Debug, Args)]
pub(crate) struct Input {
    /// Hex digits, with or without 0x; without this and --file they are read from standard input
    #[arg(conflicts_with = "file")]
    hex: Option<String>,
    /// A file of raw bytes
    #[arg(long)]
    file: Option<PathBuf>,
}

impl Input {
    fn bytes(&self) -> Result<Vec<u8>, Error> {
        let bytes = self.given()?;
        if bytes.is_empty() {
            return Err(Error::Usage("there is nothing to decode: give hex digits or --file".to_owned()));
        }
        Ok(bytes)
    }

    fn given(&self) -> Result<Vec<u8>, Error> {
        match (&self.hex, &self.file) {
            (Some(text), _) => from_hex(text),
            (None, Some(path)) => {
                let file = std::fs::File::open(path).map_err(|error| unread(path, &error))?;
                read(file).map_err(|error| unread(path, &error))
            }
            (None, None) => {
                let text =
                    read(std::io::stdin()).map_err(|error| unread(Path::new("standard input"), &error))?;
                from_hex(&String::from_utf8_lossy(&text))
            }
        }
    }
}

fn read(from: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(INPUT_MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn unread(path: &Path, error: &std::io::Error) -> Error {
    Error::Usage(format!("read {}: {error}", path.display()))
}

fn from_hex(text: &str) -> Result<Vec<u8>, Error> {
    // Pasted digits may be wrapped.
    let digits: String = text.split_whitespace().collect();
    hex::decode(digits).map_err(|error| Error::Usage(format!("these are no hex digits: {error}")))
}

pub(crate) fn run(verb: &Verb, output: &mut Output) -> Result<(), Error> {
    match verb {
        Verb::Block(input) => output.json(&block(&input.bytes()?)?),
        Verb::Tx(input) => output.json(&typed::<TxEnvelope>("transaction", &input.bytes()?)?),
        Verb::Receipt(input) => output.json(&typed::<ReceiptEnvelope>("receipt", &input.bytes()?)?),
        Verb::Record(input) => {
            let record = maidenlane_wire::entry_to_json(&input.bytes()?);
            output.json(&record.map_err(|error| bad("record", &error))?)
        }
        Verb::Frame(input) => frames(&input.bytes()?, output),
    }
}

fn frames(bytes: &[u8], output: &mut Output) -> Result<(), Error> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let (frame, len) = frame::read(rest).map_err(|error| {
            let at = bytes.len() - rest.len();
            bad(&format!("frame at byte {at}"), &error)
        })?;
        output.json(&frame_to_json(&frame))?;
        rest = rest.get(len..).unwrap_or_default();
    }
    Ok(())
}

fn block(bytes: &[u8]) -> Result<Value, Error> {
    let mut rest = bytes;
    let block = Block::<TxEnvelope>::decode(&mut rest).map_err(|error| bad("block", &error))?;
    whole("block", rest)?;
    let hash = block.header.hash_slow().to_string();
    let mut value = rendered(&block)?;
    if let Some(fields) = value.as_object_mut() {
        fields.insert("hash".to_owned(), hash.into());
    }
    Ok(value)
}

fn typed<T: Decodable2718 + serde::Serialize>(what: &str, bytes: &[u8]) -> Result<Value, Error> {
    let mut rest = bytes;
    let value = T::decode_2718(&mut rest).map_err(|error| bad(what, &error))?;
    whole(what, rest)?;
    rendered(&value)
}

fn rendered(value: &impl serde::Serialize) -> Result<Value, Error> {
    serde_json::to_value(value).map_err(|error| bad("value", &error))
}

fn whole(what: &str, rest: &[u8]) -> Result<(), Error> {
    if rest.is_empty() {
        Ok(())
    } else {
        Err(Error::Undecodable(format!("{} bytes after the {what}", rest.len())))
    }
}

fn bad(what: &str, error: &impl std::fmt::Display) -> Error {
    Error::Undecodable(format!("decode {what}: {error}"))
}
