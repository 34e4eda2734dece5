//! Secrets that stand in settings: refused, because settings are readable by everybody.
//!
//! # Why
//! Normalised settings lie in the Nix store, in `/etc` and in backups. A secret belongs into a credential of the
//! service (`LoadCredential=NAME:…`), and the settings name it: `{credential:NAME}`.

use crate::Problem;
use crate::path::join;
use serde_dhall::SimpleValue;

/// Cure that every such problem names.
pub(crate) const CURE: &str =
    "secrets belong into a credential of the service (LoadCredential=NAME:FILE), named as {credential:NAME}";

/// Length from which a word of a URL may be a key; shorter ones are names of versions, networks and methods.
const KEY_CHARS: usize = 20;

/// Every text that holds a secret, with its path.
pub(crate) fn exposed(value: &SimpleValue) -> Vec<Problem> {
    let mut problems = Vec::new();
    walk(value, "", &mut problems);
    problems
}

fn walk(value: &SimpleValue, path: &str, problems: &mut Vec<Problem>) {
    match value {
        SimpleValue::Text(text) => {
            if let Some(what) = secret_in(text) {
                let message = format!("{what}, and settings are readable by everybody: {CURE}");
                problems.push(Problem { path: path.to_owned(), message });
            }
        }
        SimpleValue::Record(fields) => {
            for (field, value) in fields {
                walk(value, &join(path, field), problems);
            }
        }
        SimpleValue::List(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(item, &format!("{path}[{index}]"), problems);
            }
        }
        SimpleValue::Optional(Some(inner)) | SimpleValue::Union(_, Some(inner)) => {
            walk(inner, path, problems);
        }
        SimpleValue::Num(_) | SimpleValue::Optional(None) | SimpleValue::Union(_, None) => {}
    }
}

/// The secret in an address, in words that do not repeat it.
fn secret_in(text: &str) -> Option<&'static str> {
    let (scheme, rest) = text.split_once("://").map_or((None, text), |(scheme, rest)| (Some(scheme), rest));
    let (authority, path) = rest.split_once(['/', '?', '#']).unwrap_or((rest, ""));
    // Without a scheme, `user:password@host:port`; a bare `@` is none of our business.
    if let Some((user, host)) = authority.rsplit_once('@') {
        let credential = user.starts_with("{credential:") && user.ends_with('}');
        if !credential && (scheme.is_some() || (user.contains(':') && host.contains(':'))) {
            return Some("a user name or password in an address is a secret");
        }
    }
    let mut words = path.split(|c: char| "/?&=#".contains(c));
    (scheme.is_some() && words.any(is_key_like)).then_some(
        "a part of this URL looks like a key (`M.Credential.Path` puts one behind a node's address)",
    )
}

/// A long word of letters and digits in turn, as providers make their keys.
fn is_key_like(word: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    word.len() >= KEY_CHARS
        && word.chars().all(plain)
        && word.chars().any(|c| c.is_ascii_digit())
        && word.chars().any(|c| c.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    fn check(text: &str, secret: bool) {
        assert_eq!(super::secret_in(text).is_some(), secret, "{text}");
    }

    #[test]
    fn secrets_in_addresses_are_seen() {
        check("https://user:pw@rpc.example/", true);
        check("https://token@rpc.example", true);
        check("user:pw@kafka-1:9092", true);
        check("https://rpc.example/v3/0123456789abcdef0123456789abcdef", true);
        check("wss://rpc.example/ws?key=AbCdEfGhIjKlMnOpQrSt1", true);
    }

    #[test]
    fn ordinary_texts_are_not() {
        check("https://rpc.example/v3/{credential:provider-key}", false);
        check("https://{credential:login}@rpc.example/", false);
        check("https://rpc.example/v3/mainnet", false);
        check("https://a-long-name-of-a-host-0123456789.example/", false);
        check("kafka-1:9092", false);
        check("/var/lib/maidenlane/0123456789abcdef0123456789abcdef", false);
        check("0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3", false);
        check("someone@example.org", false);
    }
}
