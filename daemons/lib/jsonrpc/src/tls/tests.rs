use super::*;
use crate::access::{Access, Proof};
use crate::identity::Identity;
use crate::server::tests::serving;
use crate::{Limits, Listener};
use maidenlane_testkit::certificates::{Authority, Signed};
use std::net::SocketAddr;
use std::path::Path;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

/// Files of one server, which knows the client certificate for `reader.example`.
pub(crate) struct Server {
    pub(crate) dir: std::path::PathBuf,
    files: TlsFiles,
}

impl Server {
    pub(crate) fn new(name: &str, clients: Option<&Authority>, own: &Signed) -> Self {
        let dir = std::env::temp_dir().join(format!("maidenlane-tls-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a directory");
        let file = |name: &str| dir.join(name);
        let client_ca = clients.map(|authority| {
            std::fs::write(file("ca"), &authority.pem).expect("writable");
            file("ca")
        });
        let server =
            Self { files: TlsFiles { certificate: file("certificate"), key: file("key"), client_ca }, dir };
        server.put(own);
        server
    }

    fn put(&self, (certificate, key): &Signed) {
        std::fs::write(&self.files.certificate, certificate).expect("writable");
        std::fs::write(&self.files.key, key).expect("writable");
    }

    /// Serves the fake and runs `client` against it.
    pub(crate) fn with<C: Future<Output = ()>>(&self, client: impl FnOnce(SocketAddr) -> C) {
        let tls = Tls::load(self.files.clone()).expect("good files");
        let reader = Identity::new("reader".to_owned(), None, false, None);
        let access = tls
            .is_mutual()
            .then(|| Arc::new(Access::new([(Proof::Certificate("reader.example".to_owned()), reader)])));
        let rules = Listener { tls: Some(Arc::new(tls)), access, ..Listener::open(Limits::default()) };
        serving(rules, client);
        std::fs::remove_dir_all(&self.dir).expect("ours");
    }
}

/// Status line and body of one call, or the failure before there was one.
async fn ask(address: SocketAddr, trust: &Authority, own: Option<&Signed>) -> Result<String, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trust.pem.as_bytes()).expect("PEM")).expect("a root");
    let provider = Arc::new(crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => builder
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM")],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM"),
            )
            .expect("they go together"),
    };
    let stream = TcpStream::connect(address).await.expect("it listens");
    let name = ServerName::try_from("rpc.example").expect("a name");
    let mut stream =
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|e| text(&e))?;
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"echo","params":[1]}"#;
    let request = format!(
        "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.map_err(|e| text(&e))?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.map_err(|e| text(&e))?;
    Ok(String::from_utf8(answer).expect("text"))
}

#[track_caller]
fn check(answer: &Result<String, String>, expect: Result<&str, &str>) {
    match (answer, expect) {
        (Ok(answer), Ok(part)) | (Err(answer), Err(part)) => assert!(answer.contains(part), "{answer}"),
        (answer, expect) => panic!("{answer:?}, not {expect:?}"),
    }
}

#[test]
fn only_certificates_that_count_come_in() {
    let (servers, clients, strangers) =
        (Authority::new("servers"), Authority::new("clients"), Authority::new("strangers"));
    let server = Server::new("mutual", Some(&clients), &servers.sign("rpc.example", 2100));
    server.with(async |address| {
        let known = clients.sign("reader.example", 2100);
        check(&ask(address, &servers, Some(&known)).await, Ok("\"result\":[1]"));
        check(&ask(address, &servers, None).await, Err("CertificateRequired"));
        let foreign = strangers.sign("reader.example", 2100);
        check(&ask(address, &servers, Some(&foreign)).await, Err("fatal alert"));
        let expired = clients.sign("reader.example", 2001);
        check(&ask(address, &servers, Some(&expired)).await, Err("CertificateExpired"));
        let unknown = clients.sign("other.example", 2100);
        check(&ask(address, &servers, Some(&unknown)).await, Ok("401 Unauthorized"));
        // A client that does not trust us does not speak to us.
        check(&ask(address, &strangers, Some(&known)).await, Err("UnknownIssuer"));
    });
}

#[test]
fn changed_certificates_are_taken_over_if_they_are_good() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let server = Server::new("rotated", None, &old.sign("rpc.example", 2100));
    server.with(async |address| {
        check(&ask(address, &old, None).await, Ok("\"result\":[1]"));
        server.put(&("no certificate".to_owned(), "no key".to_owned()));
        tokio::time::sleep(LOOK + Duration::from_millis(50)).await;
        check(&ask(address, &old, None).await, Ok("\"result\":[1]"));
        server.put(&new.sign("rpc.example", 2100));
        tokio::time::sleep(LOOK + Duration::from_millis(50)).await;
        check(&ask(address, &new, None).await, Ok("\"result\":[1]"));
        check(&ask(address, &old, None).await, Err("UnknownIssuer"));
    });
}

#[test]
fn bad_files_are_named() {
    #[track_caller]
    fn check(files: &TlsFiles, expect: &str) {
        let error = Tls::load(files.clone()).expect_err("bad files").to_string();
        assert!(error.contains(expect), "{error}");
    }
    let authority = Authority::new("it");
    let server = Server::new("bad", None, &authority.sign("rpc.example", 2100));
    let good = server.files.clone();
    check(&TlsFiles { key: Path::new("/nowhere/key").to_owned(), ..good.clone() }, "read /nowhere/key");
    check(
        &TlsFiles { key: good.certificate.clone(), ..good.clone() },
        "certificate holds no private key in PEM",
    );
    check(&TlsFiles { certificate: good.key.clone(), ..good.clone() }, "key holds no certificate in PEM");
    std::fs::write(&good.key, authority.sign("rpc.example", 2100).1).expect("writable");
    check(&good, "cannot be used");
    std::fs::remove_dir_all(&server.dir).expect("ours");
}
