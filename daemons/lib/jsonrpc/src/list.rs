//! Lists that clients send, batches and parameters, split without reading all: a body of 5 MiB can hold millions of
//! values, and to keep or read them all would hold an IO thread for most of a second.

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// A list that is well-formed JSON.
#[derive(Debug, Default)]
pub struct List<'a> {
    /// The first values, as many as are looked at.
    pub values: Vec<&'a RawValue>,
    /// True if there are more.
    pub is_longer: bool,
}

/// Splits `text`, a list, into at most `most` values. The rest is only looked at as far as JSON has to be well-formed.
///
/// # Errors
/// When it is not JSON, or no list.
pub fn split(text: &str, most: usize) -> Result<List<'_>, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_str(text);
    let list = Most(most).deserialize(&mut json)?;
    json.end()?;
    Ok(list)
}

struct Most(usize);

impl<'de> DeserializeSeed<'de> for Most {
    type Value = List<'de>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<List<'de>, D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Most {
    type Value = List<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<List<'de>, A::Error> {
        let mut list = List::default();
        while list.values.len() < self.0 {
            let Some(value) = from.next_element()? else { return Ok(list) };
            list.values.push(value);
        }
        while from.next_element::<IgnoredAny>()?.is_some() {
            list.is_longer = true;
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    #[track_caller]
    fn check(text: &str, expect: Result<(&[&str], bool), ()>) {
        let list = super::split(text, 2);
        let read = list
            .as_ref()
            .map(|list| (list.values.iter().map(|value| value.get()).collect::<Vec<_>>(), list.is_longer));
        assert_eq!(read.map_err(|_| ()), expect.map(|(values, more)| (values.to_vec(), more)), "{text}");
    }

    #[test]
    fn the_first_values_are_kept_and_all_must_be_json() {
        check("[]", Ok((&[], false)));
        check("[1, {\"a\": [2]}]", Ok((&["1", "{\"a\": [2]}"], false)));
        check("[1, 2, 3, 4]", Ok((&["1", "2"], true)));
        check("[1, 2, 3, }", Err(()));
        check("[1, 2, 3] 4", Err(()));
        check("[1, 2", Err(()));
    }
}
