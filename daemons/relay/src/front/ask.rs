//! Questions: what became of one's orders, and, for builders, which may go into a block.

use super::{Front, answers, refused, signer};
use crate::caller::Caller;
use crate::civil::iso_of;
use crate::feeds::{Cursor, Feed, Unopened};
use maidenlane_ethjson::params;
use maidenlane_jsonrpc::json::{Object, push_list, push_str};
use maidenlane_jsonrpc::{Args, Error, Events, Json, codes};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Fates in one answer.
const FATES_MAX: usize = 1_000;
/// Blocks around the head that a question about a sender may name, as of the first relay.
const ASKED_WITHIN: u64 = 20;
/// Blocks beyond the next one that a builder may ask for.
const BUILT_AHEAD: u64 = 1;

/// The object that says where fates begin.
#[derive(Deserialize)]
struct Start<'a> {
    #[serde(borrow)]
    cursor: Option<&'a RawValue>,
}

/// The object of the question about a sender.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked<'a> {
    #[serde(borrow)]
    block_number: Option<&'a RawValue>,
}

/// The object of both questions about a bundle.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Question<'a> {
    #[serde(borrow)]
    bundle_hash: Option<&'a RawValue>,
}

impl Front {
    /// All of the caller's bundles that have this hash.
    pub(super) fn bundle_status(&self, caller: &Caller, params: Option<&RawValue>) -> Result<Json, Error> {
        let (signer, hash) = (signer(caller)?, hash_of(params)?);
        let book = self.0.orders.book();
        let next = book.head().number.saturating_add(1);
        let mut out = String::new();
        let told = self.0.fates.told();
        push_list(&mut out, book.find(signer, hash), |out, known| {
            let simulated = self.0.simulator.of(known.content);
            answers::status(out, known, (told.of(known.content), simulated.as_deref()), next);
        });
        Ok(Json::Owned(out))
    }

    /// The newest of them, in the shape that clients know.
    pub(super) fn bundle_stats(&self, caller: &Caller, params: Option<&RawValue>) -> Result<Json, Error> {
        let (signer, hash) = (signer(caller)?, hash_of(params)?);
        let book = self.0.orders.book();
        let newest = book.find(signer, hash).into_iter().max_by_key(|known| known.taken.at_ms);
        let told = self.0.fates.told();
        Ok(Json::object(|object| {
            let simulated = newest.and_then(|known| self.0.simulator.of(known.content));
            object.raw("isSimulated", if simulated.is_some() { "true" } else { "false" });
            if let Some(simulated) = simulated {
                push_str(object.value("simulatedAt"), &iso_of(simulated.at_ms));
            }
            if let Some(known) = newest {
                object.raw("isHighPriority", "false");
                push_str(object.value("receivedAt"), &iso_of(known.taken.at_ms));
                // Names stand in for keys, which builders' addresses do not tell.
                object.list(
                    "consideredByBuildersAt",
                    answers::sent(told.of(known.content)),
                    |out, (name, at_ms)| {
                        let mut object = Object::new(out);
                        push_str(object.value("pubkey"), name);
                        push_str(object.value("timestamp"), &iso_of(at_ms));
                        object.end();
                    },
                );
            }
        }))
    }

    /// Sums that the caller's orders paid. The block that a question names says that it is a new one: others guard that against repetition,
    /// and clients send it.
    pub(super) fn user_stats(&self, caller: &Caller, params: Option<&RawValue>) -> Result<Json, Error> {
        let signer = signer(caller)?;
        let block = Args::parse(params, 1)?.required(|json| {
            let asked: Asked<'_> = params::read(json)?;
            params::index(asked.block_number.ok_or("send an object with `blockNumber`")?.get())
        })?;
        let head = self.0.chain.view().head().block.number;
        if block.abs_diff(head) > ASKED_WITHIN {
            let text = format!("set `blockNumber` to one of {ASKED_WITHIN} blocks around {head}");
            return Err(refused(codes::INVALID_PARAMS, "blockTooFar", text));
        }
        let (paid, gas) = self.0.tips.sums(signer);
        Ok(Json::object(|object| {
            object.raw("isHighPriority", "false");
            let spans = [
                ("allTime", paid.all, gas.all),
                ("last7d", paid.week, gas.week),
                ("last1d", paid.day, gas.day),
            ];
            for (span, paid, gas) in spans {
                push_str(object.value(&format!("{span}ValidatorPayments")), &paid.to_string());
                push_str(object.value(&format!("{span}GasSimulated")), &gas.to_string());
            }
        }))
    }

    /// Fates of the caller's orders behind a cursor.
    pub(super) fn bundle_fates(&self, caller: &Caller, params: Option<&RawValue>) -> Result<Json, Error> {
        let (signer, cursor) = (signer(caller)?, Args::parse(params, 1)?.optional(cursor)?.flatten());
        let fates = self.0.feeds.since(signer, cursor, FATES_MAX).map_err(unopened)?;
        let mut out = String::new();
        push_list(&mut out, fates, |out, fate| out.push_str(&fate));
        Ok(Json::Owned(out))
    }

    /// The same, and what comes.
    pub(super) fn subscribe_to(
        &self,
        feed: Feed,
        caller: &Caller,
        params: Option<&RawValue>,
    ) -> Result<Events, Error> {
        let signer = signer(caller)?;
        let mut args = Args::parse(params, 2)?;
        args.required(params::string)?;
        let cursor = args.optional(cursor)?.flatten();
        self.0.feeds.open(signer, feed, cursor).map_err(unopened)
    }

    /// `MevBundles`.
    pub(super) fn mev_bundles(&self, caller: &Caller, params: Option<&RawValue>) -> Result<Json, Error> {
        let identity = caller.identity();
        let mut builders = self.0.terms.builders.iter();
        let builder = builders.find(|(_, pulls)| pulls.is_some() && pulls.as_deref() == identity);
        let Some((builder, _)) = builder else {
            let text = "only identities that the settings name for a builder pull orders";
            return Err(refused(codes::INVALID_REQUEST, "noBuilder", text.to_owned()));
        };
        let mut args = Args::parse(params, 2)?;
        let (block, timestamp) = (args.required(params::index)?, args.required(params::index)?);
        let mut book = self.0.orders.book();
        let most = book.head().number.saturating_add(1 + BUILT_AHEAD);
        if block > most {
            return Err(Error::params(format!(
                "ask for a block of at most {most}: nobody builds later ones yet"
            )));
        }
        let mut out = String::new();
        push_list(&mut out, book.open(block, timestamp, builder), answers::pulled);
        Ok(Json::Owned(out))
    }
}

fn hash_of(params: Option<&RawValue>) -> Result<maidenlane_chain::B256, Error> {
    Args::parse(params, 1)?.required(|json| {
        let question: Question<'_> = params::read(json)?;
        let hash = question.bundle_hash.ok_or("send an object with `bundleHash`")?;
        params::hash(hash.get())
    })
}

fn cursor(json: &str) -> Result<Option<Cursor>, String> {
    let start: Start<'_> = params::read(json)?;
    let Some(cursor) = start.cursor else { return Ok(None) };
    let text = params::string(cursor.get())?;
    text.parse().map(Some).map_err(|()| "send the cursor of a fate as it came".to_owned())
}

fn unopened(unopened: Unopened) -> Error {
    let reason = match unopened {
        Unopened::Gone => "cursorGone",
        Unopened::Many => "tooManyFeeds",
    };
    refused(codes::LIMIT_EXCEEDED, reason, unopened.to_string())
}
