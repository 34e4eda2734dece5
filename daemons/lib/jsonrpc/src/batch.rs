//! The messages of a batch, as far as they may be answered: a body of 5 MiB can hold millions, and to keep or read them
//! all would hold an IO thread for most of a second.

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// A batch that is well-formed JSON.
#[derive(Debug, Default)]
pub(crate) struct Batch<'a> {
    /// The first messages, as many as may be answered.
    pub(crate) messages: Vec<&'a RawValue>,
    /// There are more.
    pub(crate) is_too_large: bool,
}

/// Splits `text`, a list, into at most `most` messages. The rest is only looked at as far as JSON has to be well-formed.
pub(crate) fn split(text: &str, most: usize) -> Result<Batch<'_>, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_str(text);
    let batch = Most(most).deserialize(&mut json)?;
    json.end()?;
    Ok(batch)
}

struct Most(usize);

impl<'de> DeserializeSeed<'de> for Most {
    type Value = Batch<'de>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Batch<'de>, D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Most {
    type Value = Batch<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a batch")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Batch<'de>, A::Error> {
        let mut batch = Batch::default();
        while batch.messages.len() < self.0 {
            let Some(message) = list.next_element()? else { return Ok(batch) };
            batch.messages.push(message);
        }
        while list.next_element::<IgnoredAny>()?.is_some() {
            batch.is_too_large = true;
        }
        Ok(batch)
    }
}

#[cfg(test)]
mod tests {
    #[track_caller]
    fn check(text: &str, expect: Result<(&[&str], bool), ()>) {
        let batch = super::split(text, 2);
        let told = batch.as_ref().map(|batch| {
            (batch.messages.iter().map(|message| message.get()).collect::<Vec<_>>(), batch.is_too_large)
        });
        assert_eq!(told.map_err(|_| ()), expect.map(|(messages, more)| (messages.to_vec(), more)), "{text}");
    }

    #[test]
    fn the_first_messages_are_kept_and_all_must_be_json() {
        check("[]", Ok((&[], false)));
        check("[1, {\"a\": [2]}]", Ok((&["1", "{\"a\": [2]}"], false)));
        check("[1, 2, 3, 4]", Ok((&["1", "2"], true)));
        check("[1, 2, 3, }", Err(()));
        check("[1, 2, 3] 4", Err(()));
        check("[1, 2", Err(()));
    }
}
