//! Reading objects as Go's `encoding/json` does, and so geth: names of members in any case, and the last of several with
//! one name wins. geth's own client relies on it: some of its types carry no names of their own.
//!
//! # Why not serde alone
//! serde takes names as they are written, ignores a member in another case without a word, and refuses one that comes
//! twice. Here every value is cut out as text first, and members are renamed to those of the struct that is read.

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{Deserialize, Deserializer, IntoDeserializer, MapAccess, Visitor};
use serde_json::Error;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Reads one value.
///
/// # Errors
/// Those of `serde_json`.
pub fn read<'de, T: Deserialize<'de>>(json: &'de str) -> Result<T, Error> {
    T::deserialize(Value(serde_json::from_str::<&RawValue>(json)?.get()))
}

/// Text of one value.
#[derive(Clone, Copy)]
struct Value<'de>(&'de str);

impl<'de> IntoDeserializer<'de, Error> for Value<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

type Member<'de> = (Cow<'de, str>, Value<'de>);

impl<'de> Value<'de> {
    fn members(self) -> Result<Vec<Member<'de>>, Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Vec<Member<'de>>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(Name(name)) = map.next_key()? {
                    members.push((name, Value(map.next_value::<&RawValue>()?.get())));
                }
                Ok(members)
            }
        }
        serde_json::Deserializer::from_str(self.0).deserialize_map(Members)
    }

    fn elements(self) -> Result<SeqDeserializer<impl Iterator<Item = Value<'de>>, Error>, Error> {
        let elements: Vec<&'de RawValue> = serde_json::from_str(self.0)?;
        Ok(SeqDeserializer::new(elements.into_iter().map(|element| Value(element.get()))))
    }
}

/// Name of a member, borrowed unless letters of it are escaped.
#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// Scalars, as `serde_json` reads them.
macro_rules! scalars {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            serde_json::Deserializer::from_str(self.0).$method(visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for Value<'de> {
    type Error = Error;

    scalars! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32
        deserialize_f64 deserialize_char deserialize_str deserialize_string deserialize_bytes
        deserialize_byte_buf deserialize_unit deserialize_identifier deserialize_ignored_any
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0.as_bytes().first() {
            Some(b'{') => self.deserialize_map(visitor),
            Some(b'[') => self.deserialize_seq(visitor),
            _ => serde_json::Deserializer::from_str(self.0).deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.0 == "null" { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        // serde_json's own types, such as a value that stays text.
        if name.starts_with("$serde_json") {
            return serde_json::Deserializer::from_str(self.0).deserialize_newtype_struct(name, visitor);
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let mut elements = self.elements()?;
        let read = visitor.visit_seq(&mut elements)?;
        elements.end().map(|()| read)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(MapDeserializer::new(self.members()?.into_iter()))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let (mut named, mut unknown) = (Vec::<Member<'de>>::with_capacity(fields.len()), false);
        for (name, value) in self.members()? {
            let exact = fields.iter().find(|field| **field == name);
            let field = exact.or_else(|| fields.iter().find(|field| field.eq_ignore_ascii_case(&name)));
            // Of unknown members the first is enough for a struct that refuses them; there may be any number.
            let name = match field {
                Some(field) => Cow::Borrowed(*field),
                None if std::mem::replace(&mut unknown, true) => continue,
                None => name,
            };
            match named.iter_mut().find(|(other, _)| *other == name) {
                Some(earlier) => earlier.1 = value,
                None => named.push((name, value)),
            }
        }
        visitor.visit_map(MapDeserializer::new(named.into_iter()))
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        serde_json::Deserializer::from_str(self.0).deserialize_unit_struct(name, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        serde_json::Deserializer::from_str(self.0).deserialize_enum(name, variants, visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::read;
    use serde::Deserialize;
    use serde_json::value::RawValue;
    use std::collections::BTreeMap;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Inner {
        with_log: Option<bool>,
        list: Vec<(u8, String)>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Outer<'a> {
        gas_price: Option<u64>,
        #[serde(borrow)]
        raw: Option<&'a RawValue>,
        inner: Option<Inner>,
        by_name: Option<BTreeMap<String, Inner>>,
    }

    fn check(json: &str, expect: &str) {
        let shown = match read::<Outer<'_>>(json) {
            Ok(Outer { gas_price, raw, inner, by_name }) => {
                format!("{gas_price:?} {:?} {inner:?} {by_name:?}", raw.map(RawValue::get))
            }
            Err(error) => error.to_string(),
        };
        assert!(shown.contains(expect), "{json}: {shown}");
    }

    #[test]
    fn names_are_read_in_any_case_and_the_last_of_several_wins() {
        check(r#"{"gasPrice":1}"#, "Some(1) None None None");
        check(r#"{"GASPRICE":1}"#, "Some(1)");
        check(r#"{"\u0067asPrice":1}"#, "Some(1)");
        check(r#"{"gasPrice":1,"GasPrice":2}"#, "Some(2)");
        check(r#"{"GasPrice":2,"gasPrice":1,"gasPrice":null}"#, "None None");
        check(r#"{"other":{"a":[1]}}"#, "None None None None");
        check(r#"{"Raw": {"a" : 1}}"#, r#"Some("{\"a\" : 1}")"#);
    }

    #[test]
    fn names_within_are_too() {
        let inner = "Some(Inner { with_log: Some(true), list: [(1, \"a\")] })";
        check(r#"{"Inner":{"WITHLOG":true,"List":[[1,"a"]]}}"#, inner);
        check(r#"{"byName":{"A":{"withLOG":true}}}"#, r#"{"A": Inner { with_log: Some(true), list: [] }}"#);
        check(r#"{"inner":null}"#, "None None None");
    }

    #[test]
    fn any_number_of_unknown_members_is_read_at_once() {
        let members = (0..200_000).map(|n| format!("\"{n:06}\":1")).collect::<Vec<_>>().join(",");
        check(&format!("{{{members},\"gasPrice\":7}}"), "Some(7)");
    }

    #[test]
    fn faults_are_still_faults() {
        check("[1]", "invalid type: sequence, expected an object");
        check("{", "EOF");
        check("{} {}", "trailing characters");
        check(r#"{"gasPrice":"1"}"#, "invalid type: string \"1\", expected u64");
        check(r#"{"inner":{"list":[[1]]}}"#, "invalid length 1");
        check(r#"{"inner":{"list":[[1,"a",2]]}}"#, "invalid length 3");
    }
}
