//! `maidenlane relay …`: who may come in to a relay that runs, and what its builders answer.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use maidenlane_jsonrpc::roll::digest;
use maidenlane_relay::{desk::Question, enrolled::Rights};
use serde_json::json;

use crate::{control, error::Error, output::Output};

/// Relay that is asked.
type Place = control::Place<maidenlane_relay::Daemon>;

/// Bytes of a token that is made.
const TOKEN_BYTES: usize = 32;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Identities beside those of the settings
    #[command(subcommand)]
    Identity(Identity),
    /// Builders of the settings
    #[command(subcommand)]
    Builder(Builder),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Identity {
    /// Let one in, at once and after restarts, at the listeners that the settings name in `enrols`; prints its token, once
    Add {
        name: String,
        #[command(flatten)]
        place: Place,
        /// Namespaces, with commas; all of the listener without it
        #[arg(long, value_delimiter = ',')]
        namespaces: Option<Vec<String>>,
        /// Calls per second; any number without it
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        calls_per_second: Option<u32>,
        /// Megabytes of requests per minute; any without it
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        megabytes_per_minute: Option<u32>,
        /// File with a token that it has already, at another relay, instead of a new one
        #[arg(long, value_name = "FILE")]
        token: Option<PathBuf>,
    },
    /// Print all of them, those of the settings too
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Let one in no more; what it has open ends
    Revoke {
        name: String,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Builder {
    /// Ask one, with a signed request that does no harm: does it answer, does it understand, does it know the key
    Test {
        name: String,
        #[command(flatten)]
        place: Place,
    },
}

pub(crate) fn run(verb: &Verb, output: &mut Output) -> Result<(), Error> {
    match verb {
        Verb::Identity(Identity::Add {
            name,
            place,
            namespaces,
            calls_per_second,
            megabytes_per_minute,
            token,
        }) => {
            let token = match token {
                Some(file) => text_of(file)?,
                None => const_hex::encode(rand::random::<[u8; TOKEN_BYTES]>()),
            };
            let rights = Rights {
                namespaces: namespaces.clone(),
                calls_per_second: *calls_per_second,
                requests_mb_per_min: *megabytes_per_minute,
            };
            let token_sha256 = const_hex::encode(digest(&token));
            place.ask(&Question::Enrol { name: name.clone(), token_sha256, rights })?;
            output.json(&json!({ "name": name, "token": token }))
        }
        Verb::Identity(Identity::List { place }) => {
            let all = place.ask(&Question::Identities)?;
            all.as_array().into_iter().flatten().try_for_each(|identity| output.json(identity))
        }
        Verb::Identity(Identity::Revoke { name, place }) => {
            output.json(&place.ask(&Question::Revoke { name: name.clone() })?)
        }
        Verb::Builder(Builder::Test { name, place }) => {
            output.json(&place.ask(&Question::Try { builder: name.clone() })?)
        }
    }
}

/// Token in a file, which may end in a newline.
fn text_of(file: &Path) -> Result<String, Error> {
    let text =
        std::fs::read_to_string(file).map_err(|source| Error::Read { path: file.to_owned(), source })?;
    match text.trim() {
        "" => Err(Error::Usage(format!("{} is empty: a token must not be", file.display()))),
        text => Ok(text.to_owned()),
    }
}
