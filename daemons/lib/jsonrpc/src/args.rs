//! Positional parameters, with geth's rules: an array or nothing, trailing ones may be missing where optional (null
//! counts as missing there), and superfluous ones are refused.

use crate::error::Error;
use crate::list;
use serde_json::value::RawValue;

/// The parameters of one call, taken from left to right.
#[derive(Debug)]
pub struct Args<'a> {
    values: std::vec::IntoIter<&'a RawValue>,
    next: usize,
}

impl<'a> Args<'a> {
    /// Splits `params`; more than `most` are refused.
    pub fn parse(params: Option<&'a RawValue>, most: usize) -> Result<Self, Error> {
        let text = params.map_or("null", RawValue::get);
        if text == "null" {
            return Ok(Self { values: Vec::new().into_iter(), next: 0 });
        }
        if !text.starts_with('[') {
            return Err(Error::params("non-array args"));
        }
        let given = list::split(text, most).map_err(|e| Error::params(format!("invalid params: {e}")))?;
        if given.is_longer {
            return Err(Error::params(format!("too many arguments, want at most {most}")));
        }
        Ok(Self { values: given.values.into_iter(), next: 0 })
    }

    /// The next parameter, which must be there. What null means is up to `read`, as it is up to Go's types in geth.
    pub fn required<T>(&mut self, read: impl FnOnce(&'a str) -> Result<T, String>) -> Result<T, Error> {
        let (index, text) = self.take();
        let text =
            text.ok_or_else(|| Error::params(format!("missing value for required argument {index}")))?;
        read(text).map_err(|e| invalid(index, &e))
    }

    /// The next parameter, or `None` where it is missing or null.
    pub fn optional<T>(
        &mut self,
        read: impl FnOnce(&'a str) -> Result<T, String>,
    ) -> Result<Option<T>, Error> {
        match self.take() {
            (_, None | Some("null")) => Ok(None),
            (index, Some(text)) => read(text).map(Some).map_err(|e| invalid(index, &e)),
        }
    }

    fn take(&mut self) -> (usize, Option<&'a str>) {
        let index = self.next;
        self.next += 1;
        (index, self.values.next().map(RawValue::get))
    }
}

fn invalid(index: usize, problem: &str) -> Error {
    Error::params(format!("invalid argument {index}: {problem}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `(number, number?)` and compares the values or the error's text.
    fn check(params: &str, expect: Result<(u64, Option<u64>), &str>) {
        let raw: Box<RawValue> = serde_json::from_str(params).expect("test input is JSON");
        let read = |text: &str| text.parse::<u64>().map_err(|e| e.to_string());
        let got =
            Args::parse(Some(&raw), 2).and_then(|mut args| Ok((args.required(read)?, args.optional(read)?)));
        match (got, expect) {
            (Ok(got), Ok(expect)) => assert_eq!(got, expect),
            (Err(e), Err(text)) => {
                assert!(e.message.contains(text), "{e}");
                assert_eq!(e.code, crate::codes::INVALID_PARAMS);
            }
            (got, expect) => panic!("{params}: {got:?}, not {expect:?}"),
        }
    }

    #[test]
    fn follows_geth() {
        check("[1, 2]", Ok((1, Some(2))));
        check("[1]", Ok((1, None)));
        check("[1, null]", Ok((1, None)));
        check("[]", Err("missing value for required argument 0"));
        check("null", Err("missing value for required argument 0"));
        check("[null]", Err("invalid argument 0: "));
        check("[1, 2, 3]", Err("too many arguments, want at most 2"));
        check("{\"a\": 1}", Err("non-array args"));
        check("[1, \"x\"]", Err("invalid argument 1: "));
    }

    #[test]
    fn absent_params_are_none() {
        let mut args = Args::parse(None, 1).expect("absent is fine");
        assert_eq!(args.optional(|_| Ok(())), Ok(None));
    }
}
