//! Trees, as clients write them.

use crate::fields::{address, bytes, given, number};
use crate::refusal::Refusal;
use crate::simulation::prepared::Leave;
use maidenlane_chain::{Address, Bytes};
use maidenlane_ethjson::params;
use maidenlane_jsonrpc::list;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::fmt;

/// Depth of a tree.
const DEPTH_MAX: usize = 5;
/// Parts of all its lists together.
const PARTS_MAX: usize = 50;
/// Versions, which mean the same.
const VERSIONS: [&str; 2] = ["v0.1", "beta-1"];

/// A tree.
#[derive(Clone, PartialEq, Eq)]
pub struct Tree {
    /// First and last block that all of its parts may go into.
    pub blocks: (u64, u64),
    /// Parts, in their order.
    pub parts: Vec<Part>,
    /// Parts that get a percentage of what the others earn.
    pub refunds: Vec<(usize, u64)>,
    /// Payees of what goes to this tree, with their percentages; none for whoever signed its first transaction.
    pub payees: Vec<(Address, u64)>,
    /// Builders, as JSON.
    pub(super) builders: Option<String>,
    /// Name of the replacement, as JSON.
    pub(super) name: Option<String>,
}

/// Part of a tree.
#[derive(Clone, PartialEq, Eq)]
pub enum Part {
    /// A transaction, and its leave to fail.
    Transaction(Bytes, Leave),
    /// A tree within the tree.
    Tree(Tree),
}

/// Nothing of its transactions.
impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree").field("parts", &self.parts.len()).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Came<'a> {
    #[serde(borrow)]
    version: Option<&'a RawValue>,
    #[serde(borrow)]
    inclusion: Option<&'a RawValue>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    #[serde(borrow)]
    validity: Option<&'a RawValue>,
    #[serde(borrow)]
    privacy: Option<&'a RawValue>,
    #[serde(borrow)]
    replacement_uuid: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inclusion<'a> {
    #[serde(borrow)]
    block: Option<&'a RawValue>,
    #[serde(borrow)]
    max_block: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Element<'a> {
    #[serde(borrow)]
    tx: Option<&'a RawValue>,
    #[serde(borrow)]
    bundle: Option<&'a RawValue>,
    #[serde(borrow)]
    hash: Option<&'a RawValue>,
    #[serde(borrow)]
    can_revert: Option<&'a RawValue>,
    #[serde(borrow)]
    revert_mode: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Validity<'a> {
    #[serde(borrow)]
    refund: Option<&'a RawValue>,
    #[serde(borrow)]
    refund_config: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Share<'a> {
    #[serde(borrow)]
    body_idx: Option<&'a RawValue>,
    #[serde(borrow)]
    address: Option<&'a RawValue>,
    #[serde(borrow)]
    percent: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Privacy<'a> {
    #[serde(borrow)]
    builders: Option<&'a RawValue>,
}

const fn wrong(field: &'static str, expected: &'static str) -> Refusal {
    Refusal::Type { field, expected }
}

/// An object of a field; `None` where it is missing.
fn object<'a, T: Deserialize<'a>>(field: &'static str, json: Option<&'a str>) -> Result<Option<T>, Refusal> {
    json.map(params::read).transpose().map_err(|_| wrong(field, "an object"))
}

impl Tree {
    /// Reads a tree.
    ///
    /// # Errors
    /// Naming the mistake.
    pub fn read(json: &str) -> Result<Self, Refusal> {
        Self::within(json, 1, &mut 0)
    }

    fn within(json: &str, depth: usize, parts: &mut usize) -> Result<Self, Refusal> {
        if depth > DEPTH_MAX {
            return Err(Refusal::TooMany { field: "bundle", most: DEPTH_MAX });
        }
        let came: Came<'_> = params::read(json).map_err(|_| Refusal::NotAnObject)?;
        let version = given(came.version).and_then(|json| params::string(json).ok());
        if !version.is_some_and(|version| VERSIONS.contains(&version.as_ref())) {
            return Err(wrong("version", "\"v0.1\""));
        }
        let blocks = blocks(given(came.inclusion))?;
        let expected = "a list of objects, each with `tx` or `bundle`";
        let body =
            list::split(given(came.body).unwrap_or("[]"), PARTS_MAX).map_err(|_| wrong("body", expected))?;
        *parts = parts.saturating_add(body.values.len());
        if body.is_longer || *parts > PARTS_MAX {
            return Err(Refusal::TooMany { field: "body", most: PARTS_MAX });
        }
        if body.values.is_empty() {
            return Err(Refusal::NoTransactions);
        }
        let body = body.values.into_iter().map(|part| Part::read(part.get(), depth, parts));
        let body = body.collect::<Result<Vec<_>, _>>()?;
        let validity: Option<Validity<'_>> = object("validity", given(came.validity))?;
        let (refund, config) = validity.map_or((None, None), |all| (all.refund, all.refund_config));
        let refunds = shares("refund", given(refund), |share| {
            let index = number("bodyIdx", given(share.body_idx)?).ok()?;
            usize::try_from(index).ok().filter(|index| *index < body.len())
        })?;
        let payees =
            shares("refundConfig", given(config), |share| address("address", given(share.address)?).ok())?;
        let whole: u64 = payees.iter().map(|(_, percent)| percent).sum();
        if !payees.is_empty() && whole != 100 {
            return Err(wrong("refundConfig", "addresses with percentages that add up to 100"));
        }
        let mut tree = Self { blocks, parts: body, refunds, payees, builders: None, name: None };
        tree.narrow()?;
        let privacy: Option<Privacy<'_>> = object("privacy", given(came.privacy))?;
        tree.builders = privacy.and_then(|privacy| given(privacy.builders).map(str::to_owned));
        tree.name = given(came.replacement_uuid).map(str::to_owned);
        Ok(tree)
    }

    /// Leaves the blocks that all parts may go into.
    fn narrow(&mut self) -> Result<(), Refusal> {
        for part in &self.parts {
            if let Part::Tree(inner) = part {
                self.blocks = (self.blocks.0.max(inner.blocks.0), self.blocks.1.min(inner.blocks.1));
            }
        }
        let is_some = self.blocks.0 <= self.blocks.1;
        is_some.then_some(()).ok_or(wrong("inclusion", "blocks that all parts may go into"))
    }

    /// Transactions in their order, each with its leave to fail.
    #[must_use]
    pub fn transactions(&self) -> Vec<(&Bytes, Leave)> {
        self.parts.iter().flat_map(Part::transactions).collect()
    }
}

impl Part {
    fn transactions(&self) -> Vec<(&Bytes, Leave)> {
        match self {
            Self::Transaction(raw, leave) => vec![(raw, *leave)],
            Self::Tree(inner) => inner.transactions(),
        }
    }

    fn read(json: &str, depth: usize, parts: &mut usize) -> Result<Self, Refusal> {
        let expected = "a list of objects, each with `tx` or `bundle`";
        let element: Element<'_> = params::read(json).map_err(|_| wrong("body", expected))?;
        if given(element.hash).is_some() {
            return Err(Refusal::Unsupported { field: "hash" });
        }
        let revert = match given(element.can_revert) {
            None | Some("false") => Leave::None,
            Some("true") => Leave::Revert,
            Some(_) => return Err(wrong("canRevert", "true or false")),
        };
        let mode = given(element.revert_mode).map(params::string).transpose();
        let mode = mode.map_err(|_| wrong("revertMode", "\"fail\", \"drop\" or \"allow\""))?;
        let leave = match mode.as_deref() {
            None => revert,
            Some("fail") => Leave::None,
            Some("drop") => Leave::Drop,
            Some("allow") => Leave::Revert,
            Some(_) => return Err(wrong("revertMode", "\"fail\", \"drop\" or \"allow\"")),
        };
        match (given(element.tx), given(element.bundle)) {
            (Some(tx), None) => Ok(Self::Transaction(bytes(tx).ok_or(wrong("tx", "a 0x hex text"))?, leave)),
            (None, Some(inner)) => Tree::within(inner, depth + 1, parts).map(Self::Tree),
            _ => Err(wrong("body", expected)),
        }
    }
}

fn blocks(json: Option<&str>) -> Result<(u64, u64), Refusal> {
    let inclusion: Option<Inclusion<'_>> = object("inclusion", json)?;
    let (first, last) = inclusion.map_or((None, None), |all| (all.block, all.max_block));
    let first = number("block", given(first).ok_or(Refusal::NoBlock)?)?;
    let last = given(last).map_or(Ok(first), |json| number("maxBlock", json))?;
    Ok((first, last.max(first)))
}

/// Percentages of a list, at most 100 together, each of something that stands there once.
fn shares<T: PartialEq>(
    field: &'static str,
    json: Option<&str>,
    whose: impl Fn(&Share<'_>) -> Option<T>,
) -> Result<Vec<(T, u64)>, Refusal> {
    let wrong = || {
        wrong(
            field,
            "a list of objects, each with its `percent`, 100 together at most, and whose it is, once",
        )
    };
    let listed = list::split(json.unwrap_or("[]"), PARTS_MAX).map_err(|_| wrong())?;
    let (mut all, mut sum) = (Vec::new(), 0);
    for value in listed.values {
        let share: Share<'_> = params::read(value.get()).map_err(|_| wrong())?;
        let percent = given(share.percent)
            .and_then(|json| number("percent", json).ok())
            .filter(|percent| *percent <= 100);
        let (whose, percent) = (whose(&share).ok_or_else(wrong)?, percent.ok_or_else(wrong)?);
        sum += percent;
        if sum > 100 || all.iter().any(|(other, _)| *other == whose) {
            return Err(wrong());
        }
        all.push((whose, percent));
    }
    if listed.is_longer { Err(wrong()) } else { Ok(all) }
}
