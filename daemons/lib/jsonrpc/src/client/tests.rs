use super::*;
use crate::access::{Access, Proof};
use crate::dispatch::tests::Fake;
use crate::identity::Identity;
use crate::json::Json;
use crate::tls::tests::Server;
use crate::{Limits, Listener, Socket, codes, serve};
use maidenlane_testkit::certificates::Authority;
use serde_json::{Value, json};
use std::error::Error as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

const PATIENCE: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(50);

/// A fake server, and its endpoints.
struct Served {
    fake: Arc<Fake>,
    http: String,
    websocket: String,
    ipc: String,
    stop: Option<oneshot::Sender<()>>,
}

impl Served {
    async fn client(&self, address: &str, options: Options) -> Client {
        let endpoint = address.parse().expect("an address");
        Client::connect(endpoint, options).await.expect("it listens")
    }

    /// Clients, one of every transport.
    async fn clients(&self, options: &Options) -> [Client; 3] {
        let client = async |address| self.client(address, options.clone()).await;
        [client(&self.http).await, client(&self.websocket).await, client(&self.ipc).await]
    }
}

/// Serves the fake over TCP and IPC, and runs `clients` against it.
fn with<C: Future<Output = ()>>(rules: Listener, clients: impl FnOnce(Served) -> C) {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let name =
            format!("maidenlane-client-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        let ipc = Socket::Unix(crate::ipc::bind(&path, 0o600).expect("free"));
        let tcp = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let address = tcp.local_addr().expect("bound");
        let (fake, rules) = (Arc::new(Fake::default()), Arc::new(rules));
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = futures_util::FutureExt::shared(stopped);
        let until = || {
            let stopped = stopped.clone();
            async { drop(stopped.await) }
        };
        let served = Served {
            fake: Arc::clone(&fake),
            http: format!("http://{address}"),
            websocket: format!("ws://{address}"),
            ipc: path.to_str().expect("text").to_owned(),
            stop: Some(stop),
        };
        let serving = async {
            tokio::try_join!(
                serve(tcp, Arc::clone(&fake), Arc::clone(&rules), until()),
                serve(ipc, Arc::clone(&fake), Arc::clone(&rules), until()),
            )
        };
        let (outcome, asked) = tokio::join!(serving, tokio::time::timeout(PATIENCE, clients(served)));
        outcome.expect("a clean stop");
        asked.expect("in time");
        std::fs::remove_file(&path).expect("ours");
    });
}

fn open() -> Listener {
    Listener::open(Limits::default())
}

fn raw(params: &Value) -> Box<RawValue> {
    to_raw_value(params).expect("JSON")
}

#[test]
fn every_transport_answers() {
    with(open(), async |served| {
        for client in served.clients(&Options::default()).await {
            assert_eq!(client.call::<Value>("echo", (1, "a")).await.expect("an answer"), json!([1, "a"]));
            // Also where the error has an HTTP status of its own.
            for code in [codes::REVERTED, codes::STALE] {
                let error = client.call::<Value>("fail", [code]).await.expect_err("it fails");
                let object = error.rpc().expect("an error object");
                assert_eq!((object.code, &*object.message), (code, "failed"));
                assert_eq!(object.data.as_ref().map(Json::as_str), Some("\"0x1\""));
            }
            let calls = [("echo", raw(&json!([1]))), ("fail", raw(&json!([3]))), ("echo", raw(&json!([2])))];
            let answers = client.batch::<Value>(calls).await.expect("answers");
            let codes = answers.iter().map(|answer| answer.as_ref().map_err(|error| error.code).cloned());
            assert_eq!(codes.collect::<Vec<_>>(), [Ok(json!([1])), Err(3), Ok(json!([2]))]);
            let error = client.call::<u64>("echo", ["x"]).await.expect_err("no number");
            assert!(matches!(error.failure, Failure::Unreadable(_)), "{error:?}");
            assert!(client.is_connected());
        }
    });
}

#[test]
fn an_error_names_endpoint_cause_and_cure() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        // Bound and gone: nobody listens.
        let address = TcpListener::bind("127.0.0.1:0").await.and_then(|tcp| tcp.local_addr()).expect("free");
        let http = format!("http://{address}/k3y").parse().expect("an address");
        let client = Client::connect(http, Options::default()).await.expect("nothing is sent");
        let http = client.call::<Value>("eth_call", ()).await.expect_err("nobody listens");
        assert_eq!(http.to_string(), format!("call eth_call at http://{address}"));
        let websocket = format!("ws://{address}").parse().expect("an address");
        let websocket = Client::connect(websocket, Options::default()).await.expect_err("nobody listens");
        let ipc = "/nowhere/geth.ipc".parse().expect("an address");
        let ipc = Client::connect(ipc, Options::default()).await.expect_err("no socket");
        for error in [http, websocket, ipc] {
            assert!(matches!(error.failure, Failure::Connect(_)), "{error:?}");
            assert!(error.failure.to_string().contains("see that the server runs"), "{error:?}");
            assert!(error.failure.source().is_some(), "{error:?}");
        }
    });
}

/// Answers one request with 429 and this body.
async fn limited(tcp: TcpListener, body: &str) {
    let (mut stream, _) = tcp.accept().await.expect("a client");
    let mut request = [0; 1_024];
    assert!(stream.read(&mut request).await.expect("a request") > 0);
    let length = body.len();
    let head = format!(
        "HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await.expect("a client");
}

#[test]
fn a_status_counts_unless_an_error_object_comes_with_it() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        for (body, status) in [
            (r#"{"message":"slow down"}"#, Some(429)),
            ("[]", Some(429)),
            ("slow down", Some(429)),
            (r#"{"jsonrpc":"2.0","id":0,"error":{"code":-32005,"message":"slow down"}}"#, None),
        ] {
            let tcp = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
            let address = format!("http://{}", tcp.local_addr().expect("bound")).parse().expect("an address");
            let client = Client::connect(address, Options::default()).await.expect("nothing is sent");
            let calling = client.call::<Value>("eth_sendRawTransaction", ());
            let (answer, ()) = tokio::join!(calling, limited(tcp, body));
            match (answer.expect_err("no answer").failure, status) {
                (Failure::Status(found), Some(status)) => assert_eq!(found, status, "{body}"),
                (Failure::Rpc(error), None) => assert_eq!(error.code, -32_005),
                (other, _) => panic!("{body}: {other:?}"),
            }
        }
    });
}

#[test]
fn requests_and_answers_have_bounds() {
    with(open(), async |served| {
        let options = Options { request_bytes_max: 2_000, answer_bytes_max: 10_000, ..Options::default() };
        for client in served.clients(&options).await {
            let large = client.call::<Value>("echo", ["x".repeat(2_000)]).await.expect_err("too large");
            assert!(matches!(large.failure, Failure::RequestTooLarge { bytes_max: 2_000 }), "{large:?}");
            assert_eq!(client.call::<String>("big", [9_000]).await.map(|text| text.len()).ok(), Some(9_000));
            let large = client.call::<Value>("big", [20_000]).await.expect_err("too large");
            assert!(matches!(large.failure, Failure::AnswerTooLarge { bytes_max: 10_000 }), "{large:?}");
            let usable = matches!(client.transport, Transport::Http(_));
            assert_eq!(client.call::<Value>("echo", ()).await.is_ok(), usable);
        }
    });
}

#[test]
fn calls_have_deadlines_and_wait_for_their_place() {
    with(open(), async |served| {
        let options = Options { requests_max: 1, ..Options::default() };
        for client in served.clients(&options).await {
            // The fake gives up `hang` after a while; only then is there a place.
            let order = std::sync::Mutex::new(Vec::new());
            let ask = async |method: &str| {
                let _ = client.call::<Value>(method, ()).await;
                order.lock().expect("no panic").push(method.to_owned());
            };
            tokio::join!(ask("hang"), ask("echo"));
            assert_eq!(order.into_inner().expect("no panic"), ["hang", "echo"]);
        }
        for client in served.clients(&Options { request_timeout: SHORT, ..options }).await {
            for _ in 0..2 {
                let late = client.call::<Value>("hang", ()).await.expect_err("no answer");
                assert!(matches!(late.failure, Failure::Timeout(SHORT)), "{late:?}");
            }
            // A connection that leaves calls unanswered is not asked for ever.
            let usable = matches!(client.transport, Transport::Http(_));
            assert_eq!(client.call::<Value>("echo", ()).await.is_ok(), usable);
        }
    });
}

#[test]
fn bounds_of_zero_are_bounds_of_one() {
    with(open(), async |served| {
        let options =
            Options { requests_max: 0, notifications_max: 0, ping: Duration::ZERO, ..Options::default() };
        for client in served.clients(&options).await {
            client.call::<Value>("echo", ()).await.expect("an answer");
        }
    });
}

#[test]
fn a_server_that_goes_is_noticed() {
    with(open(), async |mut served| {
        let [_, websocket, ipc] = served.clients(&Options::default()).await;
        drop(served.stop.take());
        for client in [websocket, ipc] {
            let Transport::Connection(connection) = &client.transport else { panic!("a connection") };
            connection.on_disconnect().await;
            let error = client.call::<Value>("echo", ()).await.expect_err("it has gone");
            assert!(matches!(error.failure, Failure::Disconnected(_)), "{error:?}");
            assert!(!client.is_connected());
        }
    });
}

#[test]
fn notifications_come_until_the_end() {
    with(open(), async |served| {
        let [http, websocket, ipc] = served.clients(&Options::default()).await;
        let none = http.subscribe::<String>("eth", ("count", 1)).await.expect_err("HTTP");
        assert!(matches!(none.failure, Failure::NoSubscriptions), "{none:?}");
        for (client, cause_text) in [(websocket, "gone"), (ipc, "UnexpectedEof")] {
            let error = client.subscribe::<String>("eth", ["none"]).await.expect_err("no such kind");
            assert_eq!(error.rpc().map(|object| object.code), Some(codes::METHOD_NOT_FOUND), "{error:?}");
            let first = client.subscribe::<String>("eth", ("count", 0)).await.expect("a subscription");
            first.unsubscribe().await.expect("it is open");
            let mut second = client.subscribe::<String>("eth", ("count", 3)).await.expect("a subscription");
            for n in ["0x0", "0x1", "0x2"] {
                assert_eq!(second.next().await.expect("a notification"), n);
            }
            let publisher = served.fake.published.lock().expect("no panic").pop().expect("one");
            publisher.close(Error::server("gone"));
            let error = second.next().await.expect_err("the end");
            let Failure::Disconnected(cause) = &error.failure else { panic!("{error:?}") };
            assert!(format!("{cause:?}").contains(cause_text), "{cause:?}");
        }
    });
}

#[test]
fn notifications_that_nobody_takes_end_the_subscription() {
    with(open(), async |served| {
        let options = Options { notifications_max: 2, ..Options::default() };
        for client in served.clients(&options).await.into_iter().skip(1) {
            let mut subscription =
                client.subscribe::<String>("eth", ("count", 100)).await.expect("a subscription");
            // Answered behind the notifications.
            client.call::<Value>("hang", ()).await.expect_err("the server gives it up");
            let end = loop {
                if let Err(error) = subscription.next().await {
                    break error;
                }
            };
            assert!(matches!(end.failure, Failure::Lagged { most: 2 }), "{end:?}");
            assert!(client.call::<Value>("echo", ()).await.is_ok());
        }
    });
}

#[test]
fn credentials_are_sent() {
    let known = |proof| {
        let identity = Identity::new("reader".to_owned(), None, false, None);
        Listener { access: Some(Arc::new(Access::new([(proof, identity)]))), ..open() }
    };
    let (token, key) = ("t0ken".to_owned(), b"0123456789abcdef0123456789abcdef".to_vec());
    for (proof, credential) in [
        (Proof::Bearer(token.clone()), Credential::Bearer(token)),
        (Proof::Jwt(key.clone()), Credential::Jwt(key)),
    ] {
        with(known(proof), async |served| {
            let options = Options { credential: Some(credential), ..Options::default() };
            for client in served.clients(&options).await {
                client.call::<Value>("echo", ()).await.expect("known");
            }
            let stranger = served.client(&served.http, Options::default()).await;
            let error = stranger.call::<Value>("echo", ()).await.expect_err("a stranger");
            assert!(matches!(error.failure, Failure::Status(401)), "{error:?}");
            let websocket = served.websocket.parse().expect("an address");
            let error = Client::connect(websocket, Options::default()).await.expect_err("a stranger");
            assert!(matches!(error.failure, Failure::Connect(_)), "{error:?}");
        });
    }
}

#[test]
fn tls_trusts_the_named_authority_and_shows_its_own_certificate() {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let server = Server::new("client", Some(&clients), &servers.sign("localhost", 2100));
    let put = |name: &str, text: &str| {
        let path = server.dir.join(name);
        std::fs::write(&path, text).expect("writable");
        path
    };
    let own = clients.sign("reader.example", 2100);
    let options = Options {
        ca: Some(put("servers", &servers.pem)),
        certificate: Some((put("own", &own.0), put("own-key", &own.1))),
        ..Options::default()
    };
    let others = Options { ca: Some(put("others", &Authority::new("others").pem)), ..options.clone() };
    server.with(async |address| {
        for scheme in ["https", "wss"] {
            let endpoint: Endpoint =
                format!("{scheme}://localhost:{}", address.port()).parse().expect("an address");
            let client = Client::connect(endpoint.clone(), options.clone()).await.expect("trusted");
            assert_eq!(client.call::<Value>("echo", [1]).await.expect("an answer"), json!([1]));
            let untrusted =
                async { Client::connect(endpoint, others.clone()).await?.call::<Value>("echo", [1]).await };
            let error = untrusted.await.expect_err("another authority");
            assert!(matches!(error.failure, Failure::Connect(_)), "{error:?}");
            assert!(format!("{error:?}").contains("UnknownIssuer"), "{error:?}");
        }
        let missing = Options { ca: Some("/nowhere/ca".into()), ..Options::default() };
        let endpoint = "https://localhost:1".parse().expect("an address");
        let error = Client::connect(endpoint, missing).await.expect_err("no file");
        assert!(error.failure.to_string().contains("read /nowhere/ca"), "{error:?}");
    });
}
