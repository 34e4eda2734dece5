//! Credentials of clients: files with what lets a daemon in elsewhere, raw and validated.

use crate::listeners::SecretFile;
use crate::{Checker, StaticType};
use serde::Deserialize;

/// Credential in the `Authorization` header: a file, `{credential:NAME}` or an absolute path.
#[derive(Clone, Debug, Deserialize, StaticType)]
pub enum CredentialRaw {
    /// A bearer token.
    Bearer(String),
    /// The key of HS256 JWTs, in hex.
    Jwt(String),
}

/// Validated [`CredentialRaw`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// File with a bearer token.
    Bearer(SecretFile),
    /// File with the key of HS256 JWTs, in hex.
    Jwt(SecretFile),
}

/// Validates a credential that may be left out.
pub fn credential(
    field: &str,
    raw: Option<&CredentialRaw>,
    checker: &mut Checker,
) -> Option<Option<Credential>> {
    match raw {
        Some(CredentialRaw::Bearer(file)) => {
            SecretFile::parse(field, file, checker).map(|file| Some(Credential::Bearer(file)))
        }
        Some(CredentialRaw::Jwt(file)) => {
            SecretFile::parse(field, file, checker).map(|file| Some(Credential::Jwt(file)))
        }
        None => Some(None),
    }
}

/// Validates a file that may be left out.
pub fn file(field: &str, text: Option<&str>, checker: &mut Checker) -> Option<Option<SecretFile>> {
    match text {
        Some(text) => SecretFile::parse(field, text, checker).map(Some),
        None => Some(None),
    }
}
