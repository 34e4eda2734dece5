//! Rules of one listener: its methods, limits and callers.

use crate::access::{Access, Refused};
use crate::error::Error;
use crate::identity::Identity;
use crate::in_flight::InFlight;
use crate::limits::Limits;
use crate::origin::{Hosts, Origins};
use crate::owner::Owner;
use crate::tls::Tls;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use std::sync::Arc;
use std::time::SystemTime;
use tokio_rustls::rustls::pki_types::CertificateDer;

/// Rules of one listener.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Bounds on sizes and times.
    pub limits: Limits,
    /// Answers on their way, which listeners may share.
    pub in_flight: InFlight,
    /// True if plain HTTP requests are answered.
    pub http: bool,
    /// True if WebSocket upgrades are accepted.
    pub websocket: bool,
    /// Namespaces whose methods are served; `None` serves all.
    pub namespaces: Option<Vec<String>>,
    /// Origins of web pages that may read answers and open WebSockets.
    pub origins: Origins,
    /// Names in the `Host` header that are accepted.
    pub hosts: Hosts,
    /// Certificates, where the listener speaks TLS.
    pub tls: Option<Arc<Tls>>,
    /// Access list; `None` lets everybody in.
    pub access: Option<Arc<Access>>,
}

impl Listener {
    /// Open listener: everything to everybody who reaches it.
    #[must_use]
    pub fn open(limits: Limits) -> Self {
        Self {
            limits,
            in_flight: InFlight::new(&limits),
            http: true,
            websocket: true,
            namespaces: None,
            origins: Origins::default(),
            hosts: Hosts::any(),
            tls: None,
            access: None,
        }
    }

    /// Authenticates a request by its headers or the certificate of its connection.
    pub(crate) fn admit(
        &self,
        headers: &HeaderMap,
        certificate: Option<&CertificateDer<'_>>,
    ) -> Result<Option<Arc<Identity>>, Refused> {
        let Some(access) = &self.access else { return Ok(None) };
        let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        access.identify(bearer, certificate, SystemTime::now()).map(Some)
    }

    /// True when a method is served here at all. Methods that describe the server itself always are.
    #[must_use]
    pub fn serves(&self, method: &str) -> bool {
        within(self.namespaces.as_deref(), method)
    }
}

/// Namespace of a method: the part of its name before the first underscore.
#[must_use]
pub fn namespace(method: &str) -> &str {
    method.split_once('_').map_or(method, |(namespace, _)| namespace)
}

fn within(namespaces: Option<&[String]>, method: &str) -> bool {
    let namespace = namespace(method);
    namespace == "rpc" || namespaces.is_none_or(|all| all.iter().any(|each| each == namespace))
}

/// Caller of a method: an identity at a listener.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) listener: Arc<Listener>,
    pub(crate) identity: Option<Arc<Identity>>,
    /// Owner where there is no identity.
    pub(crate) address: Owner,
}

impl Caller {
    /// Owner of what this caller causes to be kept.
    pub(crate) fn owner(&self) -> Owner {
        self.identity.as_ref().map_or(&self.address, |identity| &identity.owner).clone()
    }

    /// True when this method is there for this caller.
    pub(crate) fn serves(&self, method: &str) -> bool {
        let allowed = |identity: &Identity| {
            within(identity.namespaces.as_deref(), method)
                && (identity.may_send || !method.starts_with("eth_sendRawTransaction"))
        };
        self.listener.serves(method) && self.identity.as_deref().is_none_or(allowed)
    }

    /// Authorises the bytes of one request, before anything is done with them.
    pub(crate) fn spend(&self, bytes: usize) -> Result<(), Error> {
        self.identity.as_ref().map_or(Ok(()), |identity| identity.spend(bytes))
    }

    /// Error once its identity may no longer come in.
    pub(crate) fn stands(&self) -> Result<(), Error> {
        self.identity.as_ref().map_or(Ok(()), |identity| identity.stands())
    }

    /// Authorises one call: refuses methods that are not there, and calls beyond the rate.
    pub(crate) fn admit(&self, method: &str) -> Result<(), Error> {
        if !self.serves(method) {
            return Err(Error::no_method(method));
        }
        self.stands()?;
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
        let anyone = Caller { listener: Arc::clone(&listener), identity: None, address: Owner::default() };
        for (method, served) in
            [("eth_call", true), ("net_version", true), ("debug_traceCall", false), ("rpc_modules", true)]
        {
            assert_eq!(anyone.serves(method), served, "{method}");
        }
        let identity = Identity::new("reader".to_owned(), some(&["eth", "debug"]), false, None);
        let reader = Caller { listener, identity: Some(Arc::new(identity)), address: Owner::default() };
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
