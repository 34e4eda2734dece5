//! JSON writer: answers are written straight into one string, no tree is built, and nothing is parsed again before it
//! is sent. And a reader for the objects of requests, [`go`].

mod cached;
pub mod go;

pub use cached::{Cached, Deflated};
use std::fmt::Write as _;
use std::sync::Arc;

/// A finished JSON value, ready to be copied into an answer. Cloning shares the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    /// A constant such as `null`.
    Static(&'static str),
    /// Text that was written for this answer.
    Owned(String),
    /// Text that others hold as well, for instance other subscribers.
    Shared(Arc<str>),
    /// Text that a cache keeps.
    Cached(Arc<Cached>),
}

impl Json {
    /// `null`.
    pub const NULL: Self = Self::Static("null");
    /// `true`.
    pub const TRUE: Self = Self::Static("true");
    /// `false`.
    pub const FALSE: Self = Self::Static("false");

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Static(text) => text,
            Self::Owned(text) => text,
            Self::Shared(text) => text,
            Self::Cached(text) => text.as_str(),
        }
    }

    /// A JSON string.
    #[must_use]
    pub fn string(text: &str) -> Self {
        let mut out = String::with_capacity(text.len() + 2);
        push_str(&mut out, text);
        Self::Owned(out)
    }

    /// `0x` quantity of a number.
    #[must_use]
    pub fn quantity(n: u64) -> Self {
        let mut out = String::with_capacity(20);
        push_quantity(&mut out, n);
        Self::Owned(out)
    }

    /// `0x` data of any length.
    #[must_use]
    pub fn data(bytes: &[u8]) -> Self {
        let mut out = String::with_capacity(bytes.len() * 2 + 4);
        push_data(&mut out, bytes);
        Self::Owned(out)
    }

    /// An object written by `fill`.
    #[must_use]
    pub fn object(fill: impl FnOnce(&mut Object<'_>)) -> Self {
        let mut out = String::new();
        let mut object = Object::new(&mut out);
        fill(&mut object);
        object.end();
        Self::Owned(out)
    }
}

/// Appends `"0x…"` with every byte as two digits.
pub fn push_data(out: &mut String, bytes: &[u8]) {
    out.reserve(bytes.len() * 2 + 4);
    out.push_str("\"0x");
    push_digits(out, bytes);
    out.push('"');
}

/// Appends every byte as two hexadecimal digits.
pub fn push_digits(out: &mut String, bytes: &[u8]) {
    // Answers consist of little else: digits are made and appended by the block, not by the character.
    const BLOCK_BYTES: usize = 64;
    for block in bytes.chunks(BLOCK_BYTES) {
        let mut digits = [0; BLOCK_BYTES * 2];
        let digits = digits.get_mut(..block.len() * 2).unwrap_or_default();
        // Two digits for each byte: their room cannot be wrong.
        out.push_str(const_hex::encode_to_str(block, digits).map_or("", |digits| digits));
    }
}

/// Appends `"0x…"` without leading zeros; zero is `"0x0"`.
pub fn push_quantity(out: &mut String, n: u64) {
    out.push_str("\"0x");
    push_short(out, n);
    out.push('"');
}

/// Appends a number's digits without leading zeros; zero is one digit.
fn push_short(out: &mut String, n: u64) {
    let mut digits = [0; 16];
    let digits = const_hex::encode_to_str(n.to_be_bytes(), &mut digits).map_or("", |digits| digits);
    let short = digits.trim_start_matches('0');
    out.push_str(if short.is_empty() { "0" } else { short });
}

/// Appends a big-endian number as a quantity.
pub fn push_big(out: &mut String, big_endian: &[u8]) {
    out.push_str("\"0x");
    let zeros = big_endian.iter().take_while(|byte| **byte == 0).count();
    match big_endian.get(zeros..).and_then(<[u8]>::split_first) {
        None => out.push('0'),
        Some((first, rest)) => {
            push_short(out, u64::from(*first));
            push_digits(out, rest);
        }
    }
    out.push('"');
}

/// Appends a JSON string with escapes.
pub fn push_str(out: &mut String, text: &str) {
    out.push('"');
    if text.bytes().any(|byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
        push_escaped(out, text);
    } else {
        out.push_str(text);
    }
    out.push('"');
}

fn push_escaped(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if u32::from(c) < 0x20 => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
}

/// Appends `[…]`, one item after the other.
pub fn push_list<I: IntoIterator>(out: &mut String, items: I, mut item: impl FnMut(&mut String, I::Item)) {
    out.push('[');
    for (index, each) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        item(out, each);
    }
    out.push(']');
}

/// Appends one object, field after field.
#[derive(Debug)]
pub struct Object<'a> {
    out: &'a mut String,
    empty: bool,
}

impl<'a> Object<'a> {
    /// Opens the brace.
    pub fn new(out: &'a mut String) -> Self {
        out.push('{');
        Self { out, empty: true }
    }

    /// Writes the name of a field; the caller appends exactly one value to what is returned.
    pub fn value(&mut self, name: &str) -> &mut String {
        if !self.empty {
            self.out.push(',');
        }
        self.empty = false;
        push_str(self.out, name);
        self.out.push(':');
        self.out
    }

    /// Writes a field whose value is JSON already.
    pub fn raw(&mut self, name: &str, json: &str) {
        self.value(name).push_str(json);
    }

    /// Writes a field with a hexadecimal number.
    pub fn quantity(&mut self, name: &str, n: u64) {
        push_quantity(self.value(name), n);
    }

    /// Writes a field with a hexadecimal number of any width.
    pub fn big(&mut self, name: &str, big_endian: &[u8]) {
        push_big(self.value(name), big_endian);
    }

    /// Writes a field with bytes in hexadecimal.
    pub fn data(&mut self, name: &str, bytes: &[u8]) {
        push_data(self.value(name), bytes);
    }

    /// Writes a field with a list.
    pub fn list<I: IntoIterator>(&mut self, name: &str, items: I, item: impl FnMut(&mut String, I::Item)) {
        push_list(self.value(name), items, item);
    }

    /// Closes the brace.
    pub fn end(self) {
        self.out.push('}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(write: impl FnOnce(&mut String), expect: &str) {
        let mut out = String::new();
        write(&mut out);
        assert_eq!(out, expect);
        serde_json::from_str::<serde_json::Value>(&out).expect("valid JSON");
    }

    #[test]
    fn writes_what_geth_writes() {
        check(|out| push_quantity(out, 0), "\"0x0\"");
        check(|out| push_quantity(out, 0x0400), "\"0x400\"");
        check(|out| push_big(out, &[]), "\"0x0\"");
        check(|out| push_big(out, &[0, 0, 1, 0]), "\"0x100\"");
        check(|out| push_big(out, &[0xab, 0x01]), "\"0xab01\"");
        check(|out| push_data(out, &[]), "\"0x\"");
        check(|out| push_data(out, &[0, 0xff]), "\"0x00ff\"");
        for len in [63, 64, 65, 128, 200] {
            let bytes: Vec<u8> = (0..=255).cycle().take(len).collect();
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            check(|out| push_data(out, &bytes), &format!("\"0x{digits}\""));
        }
        check(|out| push_str(out, "a\"b\\c\n\u{1}ü"), "\"a\\\"b\\\\c\\u000a\\u0001ü\"");
        check(|out| push_list(out, [1u64, 2], push_quantity), "[\"0x1\",\"0x2\"]");
        check(|out| push_list(out, [0u64; 0], push_quantity), "[]");
    }

    #[test]
    fn objects_separate_their_fields() {
        let json = Json::object(|object| {
            object.quantity("a", 1);
            object.raw("b", "null");
            object.list("c", [1u64], push_quantity);
        });
        assert_eq!(json.as_str(), r#"{"a":"0x1","b":null,"c":["0x1"]}"#);
        assert_eq!(Json::object(|_| ()).as_str(), "{}");
    }
}
