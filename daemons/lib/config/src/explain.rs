//! Explanations of settings: every field of a daemon, with its comment in the examples.

use crate::differ;
use crate::path::join;
use crate::{Settings, reloads};
use serde_dhall::{SimpleType, StaticType};
use std::collections::BTreeMap;
use std::fmt;

/// A field with its type and its explanation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Dotted path.
    pub path: String,
    /// Type in a few words.
    pub ty: String,
    /// True if it holds fields of its own.
    pub record: bool,
    /// The comment above it in the example: meaning, unit, default.
    pub comment: String,
    /// True if a running daemon takes it over.
    pub reloads: bool,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} : {}\n  {}", self.path, self.ty, self.comment)?;
        if !self.record && !self.reloads {
            f.write_str(" Needs a restart.")?;
        }
        Ok(())
    }
}

/// All fields of `S`, sorted by path.
#[must_use]
pub fn fields<S: Settings>() -> Vec<Field> {
    let mut types = BTreeMap::new();
    collect(&S::Raw::static_type(), "", &mut types);
    // Of a union, one variant stands in an example, the others in the examples of other daemons.
    let mut known = BTreeMap::new();
    for example in S::EXAMPLES.iter().rev() {
        known.extend(comments(example));
    }
    let field = |(path, (ty, record)): (String, (String, bool))| Field {
        comment: known.remove(&path).unwrap_or_default(),
        reloads: reloads::<S>(&path),
        path,
        ty,
        record,
    };
    types.into_iter().map(field).collect()
}

fn collect(ty: &SimpleType, path: &str, fields: &mut BTreeMap<String, (String, bool)>) {
    match ty {
        SimpleType::Record(inner) => {
            for (field, ty) in inner {
                let place = join(path, field);
                fields.insert(place.clone(), (differ::name(ty), holds_fields(ty)));
                collect(ty, &place, fields);
            }
        }
        SimpleType::Union(variants) => {
            for ty in variants.values().flatten() {
                collect(ty, path, fields);
            }
        }
        SimpleType::Optional(inner) | SimpleType::List(inner) => collect(inner, path, fields),
        _ => {}
    }
}

fn holds_fields(ty: &SimpleType) -> bool {
    match ty {
        SimpleType::Record(_) => true,
        SimpleType::List(item) => matches!(**item, SimpleType::Record(_)),
        _ => false,
    }
}

/// The comment of every field in an example, by dotted path. The layout is that of `dhall/examples/full`: a comment
/// above each field, records opened by `…::{` at a line's end and closed by `}` on a line of its own.
fn comments(example: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let (mut path, mut last, mut comment) = (Vec::<String>::new(), String::new(), Vec::<&str>::new());
    for line in example.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("-- ") {
            comment.push(text);
            continue;
        }
        if let Some((field, _)) = line.strip_prefix(", ").and_then(|line| line.split_once('=')) {
            field.trim().clone_into(&mut last);
            let place = path.iter().skip(1).map(String::as_str).chain([last.as_str()]);
            found.insert(place.collect::<Vec<_>>().join("."), comment.join(" "));
        }
        if line.ends_with("::{") {
            path.push(std::mem::take(&mut last));
        } else if line == "}" {
            path.pop();
        }
        comment.clear();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::comments;

    #[test]
    fn comments_go_to_their_fields() {
        let example = "-- The file.\nlet M = ./p.dhall\n\nin  M.X::{\n    -- One\n    -- line.\n    , a = M.A::{\n      -- Two.\n      \
                       , b = 1\n      }\n    -- Three.\n    , c =\n        M.C.D\n          M.D::{\n          -- Four.\n          \
                       , e = \"x\"\n          }\n    , f = 2\n    }\n";
        let found: Vec<String> =
            comments(example).iter().map(|(path, text)| format!("{path}|{text}")).collect();
        assert_eq!(found, ["a|One line.", "a.b|Two.", "c|Three.", "c.e|Four.", "f|"]);
    }
}
