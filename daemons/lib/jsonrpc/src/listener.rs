//! What one listener serves, and to whom.

use crate::access::{Access, Identity, Refused};
use crate::error::Error;
use crate::limits::Limits;
use crate::origin::{Hosts, Origins};
use crate::tls::Tls;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use std::sync::Arc;
use std::time::SystemTime;
use tokio_rustls::rustls::pki_types::CertificateDer;

/// One listener's rules.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Sizes and times.
    pub limits: Limits,
    /// Whether HTTP requests are answered.
    pub http: bool,
    /// Whether they may become WebSockets.
    pub websocket: bool,
    /// Methods of these namespaces only; `None` serves all.
    pub namespaces: Option<Vec<String>>,
    /// Web pages that may read answers and open WebSockets.
    pub origins: Origins,
    /// Names in the `Host` header that are ours.
    pub hosts: Hosts,
    /// Encryption.
    pub tls: Option<Arc<Tls>>,
    /// Who may come in; `None` lets everybody.
    pub access: Option<Arc<Access>>,
}

impl Listener {
    /// Everything to everybody who reaches it.
    #[must_use]
    pub fn open(limits: Limits) -> Self {
        Self {
            limits,
            http: true,
            websocket: true,
            namespaces: None,
            origins: Origins::default(),
            hosts: Hosts::any(),
            tls: None,
            access: None,
        }
    }

    /// Who sent a request, by its headers or the certificate of its connection.
    pub(crate) fn admit(
        &self,
        headers: &HeaderMap,
        certificate: Option<&CertificateDer<'_>>,
    ) -> Result<Option<Arc<Identity>>, Refused> {
        let Some(access) = &self.access else { return Ok(None) };
        let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        access.identify(bearer, certificate, SystemTime::now()).map(Some)
    }

    /// Whether a method is served here at all. What describes the server itself always is.
    #[must_use]
    pub fn serves(&self, method: &str) -> bool {
        within(self.namespaces.as_deref(), method)
    }
}

/// The part of a method's name before the first underscore.
#[must_use]
pub fn namespace(method: &str) -> &str {
    method.split_once('_').map_or(method, |(namespace, _)| namespace)
}

fn within(namespaces: Option<&[String]>, method: &str) -> bool {
    let namespace = namespace(method);
    namespace == "rpc" || namespaces.is_none_or(|all| all.iter().any(|each| each == namespace))
}

/// Who asks, where.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) listener: Arc<Listener>,
    pub(crate) identity: Option<Arc<Identity>>,
}

impl Caller {
    /// Whether this method is there for this caller.
    pub(crate) fn serves(&self, method: &str) -> bool {
        let allowed = |identity: &Identity| {
            within(identity.namespaces.as_deref(), method)
                && (identity.may_send || !method.starts_with("eth_sendRawTransaction"))
        };
        self.listener.serves(method) && self.identity.as_deref().is_none_or(allowed)
    }

    /// Refuses what is not there, and what comes too fast.
    pub(crate) fn admit(&self, method: &str) -> Result<(), Error> {
        if !self.serves(method) {
            return Err(Error::no_method(method));
        }
        self.identity.as_ref().map_or(Ok(()), |identity| identity.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_of_listener_and_identity_both_count() {
        let some = |names: &[&str]| Some(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
        let listener = Listener { namespaces: some(&["eth", "net"]), ..Listener::open(Limits::default()) };
        let listener = Arc::new(listener);
        let anyone = Caller { listener: Arc::clone(&listener), identity: None };
        for (method, served) in
            [("eth_call", true), ("net_version", true), ("debug_traceCall", false), ("rpc_modules", true)]
        {
            assert_eq!(anyone.serves(method), served, "{method}");
        }
        let identity = Identity::new("reader".to_owned(), some(&["eth", "debug"]), false, None);
        let reader = Caller { listener, identity: Some(Arc::new(identity)) };
        for (method, served) in [
            ("eth_call", true),
            ("net_version", false),
            ("debug_traceCall", false),
            ("eth_sendRawTransaction", false),
            ("eth_sendRawTransactionSync", false),
        ] {
            assert_eq!(reader.serves(method), served, "{method}");
        }
        assert_eq!(reader.admit("net_version").expect_err("not there").code, crate::codes::METHOD_NOT_FOUND);
    }
}
