//! Versions of settings, apart from how they are written: to compare, to name, and to merge.

use crate::path::join;
use crate::{Settings, print, reloads};
use serde_dhall::{NumKind, SimpleValue, StaticType};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;

/// Longest text of a value in a change.
const SHOWN_CHARS_MAX: usize = 200;

/// The value of a settings file, without imports and layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    pub(crate) value: SimpleValue,
}

/// One field that two versions set differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Dotted path: `feed.log.brokers`.
    pub path: String,
    /// The older value, as Dhall.
    pub from: String,
    /// The newer value, as Dhall.
    pub to: String,
    /// True if a running daemon takes it over; otherwise it needs a restart.
    pub reloads: bool,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let needs = if self.reloads { "reloads" } else { "needs a restart" };
        write!(f, "{}: {} -> {} ({needs})", self.path, self.from, self.to)
    }
}

impl Version {
    /// The settings as one self-contained Dhall expression, which says the same wherever it stands.
    #[must_use]
    pub fn normal<S: Settings>(&self) -> String {
        print::value(&self.value, &S::Raw::static_type())
    }

    /// SHA-256 of [`Version::normal`], in hex: equal for files that say the same in other words.
    #[must_use]
    pub fn sha256<S: Settings>(&self) -> String {
        format!("{:x}", Sha256::digest(self.normal::<S>()))
    }

    /// Fields that `newer` sets differently, sorted by path.
    #[must_use]
    pub fn changes<S: Settings>(&self, newer: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        walk(&self.value, &newer.value, "", &mut |path, from, to| {
            changes.push(Change {
                path: path.to_owned(),
                from: cut(show(from)),
                to: cut(show(to)),
                reloads: reloads::<S>(path),
            });
        });
        changes
    }

    /// A version with the fields that reload taken from `newer`, before anyone has validated the two together.
    pub(crate) fn reloaded<S: Settings>(&self, newer: &Self) -> Self {
        let mut value = self.value.clone();
        take_reloading::<S>(&mut value, &newer.value, "");
        Self { value }
    }
}

/// Calls `differs` for every place where two values differ, as deep as both have the same shape.
fn walk(
    old: &SimpleValue,
    new: &SimpleValue,
    path: &str,
    differs: &mut impl FnMut(&str, &SimpleValue, &SimpleValue),
) {
    match (old, new) {
        (SimpleValue::Record(old), SimpleValue::Record(new)) => {
            for (field, old) in old {
                if let Some(new) = new.get(field) {
                    walk(old, new, &join(path, field), differs);
                }
            }
        }
        (SimpleValue::Union(a, Some(old)), SimpleValue::Union(b, Some(new))) if a == b && is_record(old) => {
            walk(old, new, path, differs);
        }
        (SimpleValue::List(old), SimpleValue::List(new))
            if old.len() == new.len() && old.iter().chain(new).all(is_record) =>
        {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                walk(old, new, &format!("{path}[{index}]"), differs);
            }
        }
        _ if old == new => {}
        _ => differs(path, old, new),
    }
}

fn take_reloading<S: Settings>(old: &mut SimpleValue, new: &SimpleValue, path: &str) {
    if reloads::<S>(path) {
        old.clone_from(new);
    } else if let (SimpleValue::Record(old), SimpleValue::Record(new)) = (old, new) {
        for (field, old) in old {
            if let Some(new) = new.get(field) {
                take_reloading::<S>(old, new, &join(path, field));
            }
        }
    }
}

/// Every field that holds no fields, by path, as Dhall; those of a list's records under the list's path.
pub(crate) fn leaves(value: &SimpleValue) -> BTreeMap<String, String> {
    fn collect(value: &SimpleValue, path: &str, found: &mut BTreeMap<String, String>) {
        match value {
            SimpleValue::Record(fields) => {
                for (field, value) in fields {
                    collect(value, &join(path, field), found);
                }
            }
            SimpleValue::List(items) if matches!(items.first(), Some(SimpleValue::Record(_))) => {
                items.iter().for_each(|item| collect(item, path, found));
            }
            _ => {
                found.insert(path.to_owned(), show(value));
            }
        }
    }
    let mut found = BTreeMap::new();
    collect(value, "", &mut found);
    found
}

const fn is_record(value: &SimpleValue) -> bool {
    matches!(value, SimpleValue::Record(_))
}

/// Start of a text: a list of fifty records that got one more is no line for a log.
fn cut(text: String) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned() + " …",
        None => text,
    }
}

/// Text of a value, as short as a line of text wants it.
fn show(value: &SimpleValue) -> String {
    match value {
        SimpleValue::Num(NumKind::Bool(true)) => "True".to_owned(),
        SimpleValue::Num(NumKind::Bool(false)) => "False".to_owned(),
        SimpleValue::Num(NumKind::Natural(number)) => number.to_string(),
        SimpleValue::Num(NumKind::Integer(number)) => format!("{number:+}"),
        SimpleValue::Num(NumKind::Double(number)) => f64::from(*number).to_string(),
        SimpleValue::Text(text) => format!("{text:?}"),
        SimpleValue::Optional(None) => "None".to_owned(),
        SimpleValue::Optional(Some(inner)) => format!("Some {}", show(inner)),
        SimpleValue::List(items) if items.is_empty() => "[]".to_owned(),
        SimpleValue::List(items) => {
            format!("[ {} ]", items.iter().map(show).collect::<Vec<_>>().join(", "))
        }
        SimpleValue::Record(fields) => {
            let fields = fields.iter().map(|(field, value)| format!("{field} = {}", show(value)));
            format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
        }
        SimpleValue::Union(variant, None) => variant.clone(),
        SimpleValue::Union(variant, Some(inner)) => format!("{variant} {}", show(inner)),
    }
}
