//! Checks that keep the files under `dhall/` equal to the Rust types. Called by the tests of every crate that has raw
//! types.

use crate::Settings;
use crate::version::leaves;
use crate::{load, print};
use serde_dhall::{NumKind, SimpleType, SimpleValue, StaticType};
use std::fmt::Debug;
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

    /// Checks the file in `dir` against the type, or writes it if `update`.
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

/// Faults in the comments of the full example, which must give the meaning of every field, its default in
/// `defaults` (a Dhall expression) as `Default X.` or else `Required.`, and `Reloads.` where that is so.
#[must_use]
pub fn unexplained<S: Settings>(defaults: &str) -> Vec<String> {
    let defaults = match serde_dhall::from_str(defaults).parse() {
        Ok(value) => leaves(&value),
        Err(error) => return vec![error.to_string()],
    };
    let mut complaints = Vec::new();
    let fields = crate::fields::<S>();
    for root in S::RELOADS.iter().filter(|root| fields.iter().all(|field| field.path != **root)) {
        complaints.push(format!("{root} is said to reload, but is no field"));
    }
    for field in fields {
        let default = defaults.get(&field.path).map(|value| format!("Default {value}."));
        // An optional record whose fields have defaults says what stands without it.
        let inside = defaults.keys().any(|path| path.starts_with(&format!("{}.", field.path)));
        let says = |words: &str| field.comment.contains(words);
        let wanted = [
            (default.clone().unwrap_or_else(|| "Default ".to_owned()), default.is_some()),
            (
                "Required.".to_owned(),
                if inside { says("Required.") } else { default.is_none() && !field.record },
            ),
            ("Reloads.".to_owned(), field.reloads),
        ];
        if field.comment.is_empty() {
            complaints.push(format!("{}: no comment", field.path));
            continue;
        }
        for (words, due) in wanted.iter().filter(|(words, due)| says(words) != *due) {
            let verb = if *due { "must" } else { "must not" };
            complaints.push(format!("{}: the comment {verb} say `{words}`", field.path));
        }
    }
    complaints
}

/// Checks the Rust types against random values of the Dhall type: each is read back as what was written, and fits.
///
/// # Errors
/// The value that does not.
pub fn round_trip<S: Settings>(dir: &Path, cases: u64) -> Result<(), String> {
    let ty = S::Raw::static_type();
    let file = dir.join("random.dhall");
    for seed in 1..=cases {
        let value = random(&ty, &mut Random(seed));
        let text = print::value(&value, &ty);
        std::fs::write(&file, format!("{text}\n")).map_err(|error| error.to_string())?;
        let read = load::version::<S>(&file).map_err(|problems| format!("{problems:?}\n{text}"))?;
        if read.value != value {
            return Err(format!("read back as something else: {text}"));
        }
        let raw = serde_dhall::from_simple_value::<S::Raw>(value);
        raw.map_err(|error| format!("{error}\n{text}"))?;
    }
    Ok(())
}

/// Checks that the normal form of an example, written into `dir`, loads as the same settings.
///
/// # Errors
/// Files that cannot be read or written, or both settings where they differ.
pub fn normal_form<S: Settings + PartialEq + Debug>(example: &Path, dir: &Path) -> Result<(), String> {
    let full = crate::load::<S>(example).map_err(|error| error.to_string())?;
    let alone = dir.join("alone.dhall");
    std::fs::write(&alone, full.version.normal::<S>()).map_err(|error| error.to_string())?;
    let alone = crate::load::<S>(&alone).map_err(|error| error.to_string())?;
    if (&alone.settings, &alone.version) == (&full.settings, &full.version) {
        return Ok(());
    }
    Err(format!("{:#?} is not {:#?}", alone.settings, full.settings))
}

/// Problems of an example of the directory `dhall`, with a piece of its text replaced, as they stand behind the file's name.
/// The text is written into `dir`.
///
/// # Errors
/// A piece that is not there, a text that loads, or files that cannot be read or written.
pub fn problems_of<S: Settings>(
    (dhall, example): (&Path, &str),
    dir: &Path,
    (piece, by): (&str, &str),
) -> Result<String, String> {
    let text = std::fs::read_to_string(dhall.join(example)).map_err(|error| error.to_string())?;
    if !text.contains(piece) {
        return Err(format!("{piece} is not in {example}"));
    }
    let package = dhall.join("package.dhall").canonicalize().map_err(|error| error.to_string())?;
    let package = package.display().to_string();
    let file = dir.join("edited.dhall");
    let text = text.replace("../../package.dhall", &package).replace(piece, by);
    std::fs::write(&file, text).map_err(|error| error.to_string())?;
    match crate::load::<S>(&file) {
        Ok(_) => Err(format!("{example} loads with {by}")),
        Err(error) => {
            let text = error.to_string();
            Ok(text.lines().skip(1).map(str::trim).collect::<Vec<_>>().join("; "))
        }
    }
}

/// Random numbers that are the same in every run.
struct Random(u64);

impl Random {
    /// A number in `0..below`.
    fn below(&mut self, below: u64) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below
    }

    fn pick<T>(&mut self, mut items: Vec<T>) -> Option<T> {
        let index = usize::try_from(self.below(u64::try_from(items.len()).ok()?)).ok()?;
        Some(items.swap_remove(index))
    }
}

fn random(ty: &SimpleType, chance: &mut Random) -> SimpleValue {
    match ty {
        SimpleType::Bool => SimpleValue::Num(NumKind::Bool(chance.below(2) == 1)),
        SimpleType::Natural => SimpleValue::Num(NumKind::Natural(chance.below(u64::MAX) >> chance.below(64))),
        SimpleType::Integer => SimpleValue::Num(NumKind::Integer(chance.below(1 << 40).cast_signed())),
        SimpleType::Double => SimpleValue::Num(NumKind::Double(0.5.into())),
        SimpleType::Text => {
            let words = vec!["", "a", "/x/y", "\"", "\\", "${a}", "''", "é\n\t\u{1}"];
            let word = |chance: &mut Random| chance.pick(words.clone()).unwrap_or_default();
            SimpleValue::Text(format!("{}{}", word(chance), word(chance)))
        }
        SimpleType::Optional(inner) => {
            let inner = (chance.below(3) > 0).then(|| Box::new(random(inner, chance)));
            SimpleValue::Optional(inner)
        }
        SimpleType::List(inner) => {
            SimpleValue::List((0..chance.below(3)).map(|_| random(inner, chance)).collect())
        }
        SimpleType::Record(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            SimpleValue::Record(
                fields.into_iter().map(|(name, ty)| (name.clone(), random(ty, chance))).collect(),
            )
        }
        SimpleType::Union(variants) => {
            let mut names: Vec<_> = variants.iter().collect();
            names.sort_by_key(|(name, _)| *name);
            let (name, ty) = chance.pick(names).map_or((String::new(), None), |(name, ty)| {
                (name.clone(), ty.as_ref().map(|ty| Box::new(random(ty, chance))))
            });
            SimpleValue::Union(name, ty)
        }
    }
}
