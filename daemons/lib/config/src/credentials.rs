//! Credentials of clients: files with what lets a daemon in elsewhere, raw and validated.

use crate::listeners::SecretFile;
use crate::{Checker, StaticType};
use serde::Deserialize;

/// Credential that lets a client in: a file, `{credential:NAME}` or an absolute path.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, StaticType)]
pub enum CredentialRaw {
    /// A bearer token, in the `Authorization` header.
    Bearer(String),
    /// The key of HS256 JWTs, in hex; they go into the `Authorization` header.
    Jwt(String),
    /// The last part of the address's path, where providers want their keys.
    Path(String),
}

/// Validated [`CredentialRaw`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// File with a bearer token.
    Bearer(SecretFile),
    /// File with the key of HS256 JWTs, in hex.
    Jwt(SecretFile),
    /// File with the last part of the address's path.
    Path(SecretFile),
}

/// Validates a credential that may be left out.
pub fn credential(
    field: &str,
    raw: Option<&CredentialRaw>,
    checker: &mut Checker,
) -> Option<Option<Credential>> {
    let (file, kind): (_, fn(SecretFile) -> Credential) = match raw {
        Some(CredentialRaw::Bearer(file)) => (file, Credential::Bearer),
        Some(CredentialRaw::Jwt(file)) => (file, Credential::Jwt),
        Some(CredentialRaw::Path(file)) => (file, Credential::Path),
        None => return Some(None),
    };
    SecretFile::parse(field, file, checker).map(|file| Some(kind(file)))
}

/// Validates a file that may be left out.
pub fn file(field: &str, text: Option<&str>, checker: &mut Checker) -> Option<Option<SecretFile>> {
    match text {
        Some(text) => SecretFile::parse(field, text, checker).map(Some),
        None => Some(None),
    }
}
