//! Builders that listen for stratum: a WebSocket or lines over TLS, on a connection that is kept, and made anew when it is lost.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use super::{SOON, Searcher, World};
use maidenlane_testkit::certificates::{Authority, Signed};
use maidenlane_tests::{scenario::Carrier, wait};
use serde_json::{Value, json};
use tokio_rustls::rustls::{
    ServerConfig, ServerConnection, StreamOwned, crypto,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tungstenite::Message;

const BUNDLES: usize = 10;

type Stream = StreamOwned<ServerConnection, TcpStream>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    WebSocket,
    Lines,
}

/// A builder whose first connection is lost while its first request is under way.
struct Far {
    port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    connections: AtomicUsize,
    came: Mutex<Vec<String>>,
}

impl Far {
    fn open(form: Form, (certificate, key): &Signed) -> Self {
        let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let provider = Arc::new(crypto::ring::default_provider());
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (state, config) = (Arc::clone(&shared), Arc::clone(&config));
                thread::spawn(move || {
                    let stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
                    match form {
                        Form::WebSocket => state.serve_web_socket(stream),
                        Form::Lines => state.serve_lines(stream),
                    }
                });
            }
        });
        Self { port, state }
    }

    fn came(&self) -> Vec<String> {
        self.state.came.lock().unwrap().clone()
    }

    fn connections(&self) -> usize {
        self.state.connections.load(Ordering::Relaxed)
    }
}

impl State {
    /// The answer to what came; none on the first connection.
    fn answer(&self, connection: usize, text: &str) -> Option<String> {
        self.came.lock().unwrap().push(text.to_owned());
        let asked: Value = serde_json::from_str(text).unwrap();
        (connection > 0).then(|| json!({"jsonrpc": "2.0", "id": asked["id"], "result": {}}).to_string())
    }

    fn serve_web_socket(&self, stream: Stream) {
        // A client that does not trust it goes before that.
        let Ok(mut socket) = tungstenite::accept(stream) else { return };
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        while let Ok(message) = socket.read() {
            let Message::Text(text) = message else { continue };
            let Some(answer) = self.answer(number, &text) else { return };
            if socket.send(Message::text(answer)).is_err() {
                return;
            }
        }
    }

    fn serve_lines(&self, stream: Stream) {
        let (mut stream, mut number) = (BufReader::new(stream), None);
        let mut line = String::new();
        while stream.read_line(&mut line).is_ok_and(|read| read > 0) {
            let number = *number.get_or_insert_with(|| self.connections.fetch_add(1, Ordering::Relaxed));
            let Some(answer) = self.answer(number, line.trim_end()) else { return };
            if stream.get_mut().write_all(format!("{answer}\n").as_bytes()).is_err() {
                return;
            }
            line.clear();
        }
    }
}

/// A relay with three such builders: the certificate of the last is signed by somebody else.
fn world() -> (World, [Far; 3], tempfile::TempDir) {
    let mut world = World::new(Carrier::Segment);
    let (trusted, other) = (Authority::new("trusted"), Authority::new("other"));
    let own = trusted.sign("localhost", 2100);
    let far = [
        Far::open(Form::WebSocket, &own),
        Far::open(Form::Lines, &own),
        Far::open(Form::WebSocket, &other.sign("localhost", 2100)),
    ];
    let dir = tempfile::tempdir().unwrap();
    let ca = dir.path().join("ca.pem");
    std::fs::write(&ca, &trusted.pem).unwrap();
    let schemes = [("web", "stratumss"), ("lines", "stratumss+tcp"), ("stranger", "stratumss")];
    let urls: Vec<String> = schemes
        .iter()
        .zip(&far)
        .map(|((_, scheme), far)| format!("{scheme}://localhost:{}", far.port))
        .collect();
    let named: Vec<(&str, &str)> =
        schemes.iter().zip(&urls).map(|((name, _), url)| (*name, url.as_str())).collect();
    world.relay.stop().unwrap();
    world.relay = world.net.relay("relay-0", &["builder", "searcher"], &named).unwrap();
    let trusting = format!("ca = Some \"{}\", timeout_ms = 1000", ca.display());
    world.relay.edit(|text| text.replace("ca = None Text, timeout_ms = 1000", &trusting)).unwrap();
    world.relay.start().unwrap();
    world.relay.ready(SOON).unwrap_or_else(|failure| panic!("{failure}\n{}", world.relay.log_tail(20)));
    (world, far, dir)
}

#[test]
fn orders_go_over_connections_that_are_kept_and_made_anew() {
    let (mut world, [web, lines, stranger], _dir) = world();
    let one = Searcher::new(1);
    let mut all = Vec::new();
    for _ in 0..BUNDLES {
        let bundle = world.bundle_for(30, &json!({}));
        all.push(world.sent(&one, &bundle));
    }
    for taken in &all {
        let seen = wait::until("both to have it", SOON, || {
            let words = world.words(&one, taken);
            let sent: Vec<&str> =
                words.iter().filter(|(_, word)| word == "sent").map(|(name, _)| name.as_str()).collect();
            if sent == ["lines", "web"] { Ok(()) } else { Err(format!("{words:?}")) }
        });
        seen.unwrap_or_else(|failure| panic!("{failure}\n{}", world.relay.log_tail(20)));
    }
    let bodies = [&web, &lines].map(|far| {
        assert_eq!(far.connections(), 2, "one was lost, and one was kept");
        let came = far.came();
        assert!(came[1..].contains(&came[0]), "what was under way then came again, with the same bytes");
        came.into_iter().collect::<BTreeSet<String>>()
    });
    assert_eq!(bodies[0], bodies[1], "the same in both forms");
    assert_eq!(bodies[0].len(), BUNDLES);
    let ids: BTreeSet<u64> = bodies[0]
        .iter()
        .map(|text| {
            let asked: Value = serde_json::from_str(text).unwrap();
            let (signed, _) = text.split_once(",\"idempotencyKey\"").unwrap();
            let header = Searcher::new(7).header(&format!("{signed}}}"));
            assert_eq!(asked["signature"].as_str().unwrap().to_lowercase(), header.to_lowercase());
            assert_eq!(asked["method"], "eth_sendBundle");
            asked["id"].as_u64().unwrap()
        })
        .collect();
    assert_eq!(ids.len(), BUNDLES, "each under an id of its own");

    // As of the newest head.
    let told = wait::until("the fault of the one, and none of the others", SOON, || {
        let status: Value = serde_json::from_str(&world.relay.admin("status").unwrap()).unwrap();
        let faults = ["stranger", "web", "lines"].map(|name| status["builders"][name]["fault"].clone());
        let expect = [json!("its certificate is not trusted"), Value::Null, Value::Null];
        if faults == expect { Ok(()) } else { Err(status.to_string()) }
    });
    told.unwrap();
    assert_eq!((stranger.connections(), stranger.came().len()), (0, 0));
    world.relay.stop().unwrap();
    assert_eq!(world.relay.errors(), Vec::<String>::new());
}
