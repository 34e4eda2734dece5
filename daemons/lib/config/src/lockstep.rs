//! Keeps the files under `dhall/` equal to the Rust types. Called by the tests of every crate that has raw types.

use serde_dhall::{SimpleType, StaticType};
use std::collections::BTreeSet;
use std::path::Path;

/// The generated file `<Name>.dhall` of one raw type.
#[derive(Clone, Debug)]
pub struct TypeFile {
    name: &'static str,
    text: String,
}

impl TypeFile {
    /// The file `<name>.dhall` that holds the type of `T`.
    #[must_use]
    pub fn of<T: StaticType>(name: &'static str) -> Self {
        Self { name, text: crate::type_text::<T>() }
    }

    /// Holds the file in `dir` against the type, or writes it if `update`.
    ///
    /// # Errors
    /// What differs, and the cure.
    pub fn check(&self, dir: &Path, update: bool) -> Result<(), String> {
        let path = dir.join(format!("{}.dhall", self.name));
        if update {
            return std::fs::write(&path, &self.text)
                .map_err(|error| format!("write {}: {error}", path.display()));
        }
        let found = std::fs::read_to_string(&path)
            .map_err(|error| format!("read {}: {error}; create it with UPDATE_DHALL=1", path.display()))?;
        if found == self.text {
            return Ok(());
        }
        Err(format!("{} is not the Rust type any more; write it with UPDATE_DHALL=1", path.display()))
    }
}

/// The fields of `T`, at any depth, that `example` does not set below a comment of their own.
#[must_use]
pub fn unexplained<T: StaticType>(example: &str) -> Vec<String> {
    let mut fields = BTreeSet::new();
    collect(&T::static_type(), &mut fields);
    let lines: Vec<&str> = example.lines().map(str::trim_start).collect();
    let explained = |field: &String| {
        let sets = format!(", {field} =");
        let mut pairs = lines.iter().zip(lines.iter().skip(1));
        pairs.any(|(above, line)| {
            above.starts_with("-- ") && line.strip_prefix(&sets).is_some_and(|rest| !rest.starts_with('='))
        })
    };
    fields.into_iter().filter(|field| !explained(field)).collect()
}

fn collect(ty: &SimpleType, fields: &mut BTreeSet<String>) {
    match ty {
        SimpleType::Record(inner) => {
            for (field, ty) in inner {
                fields.insert(field.clone());
                collect(ty, fields);
            }
        }
        // One variant stands in an example, the others in its comment.
        SimpleType::Optional(inner) | SimpleType::List(inner) => collect(inner, fields),
        _ => {}
    }
}
