use super::super::options::Options;
use super::{ClientError, Failure, Framing, Messages};
use crate::tls::{certificates, private_key};
use futures_util::{SinkExt as _, StreamExt as _};
use maidenlane_testkit::certificates::Authority;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

const PATIENCE: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(300);
const BOTH: [Framing; 2] = [Framing::WebSocket, Framing::Lines];

/// The server's end of a connection.
enum End {
    WebSocket(Box<WebSocketStream<TlsStream<TcpStream>>>),
    Lines(Box<BufStream<TlsStream<TcpStream>>>),
}

impl End {
    async fn read(&mut self) -> Option<String> {
        match self {
            Self::WebSocket(socket) => Some(socket.next().await?.ok()?.to_text().ok()?.to_owned()),
            Self::Lines(stream) => {
                let mut line = String::new();
                (stream.read_line(&mut line).await.ok()? > 0).then(|| line.trim_end().to_owned())
            }
        }
    }

    async fn write(&mut self, text: &str) {
        match self {
            Self::WebSocket(socket) => socket.send(Message::text(text)).await.expect("a client"),
            Self::Lines(stream) => {
                stream.write_all(format!("{text}\n").as_bytes()).await.expect("a client");
                stream.flush().await.expect("a client");
            }
        }
    }
}

/// A server whose connections, by their numbers, are treated like this, and a client of it.
struct World {
    client: Messages,
    connections: Arc<AtomicUsize>,
    _serving: JoinSet<()>,
    _dir: tempfile::TempDir,
}

impl World {
    async fn new<F: Future<Output = ()> + Send + 'static>(
        framing: Framing,
        within: Duration,
        manner: impl Fn(usize, End) -> F + Send + 'static,
    ) -> Self {
        let authority = Authority::new("servers");
        Self::of(framing, within, manner, (&authority, &authority), "localhost").await
    }

    /// The same, where the server's certificate is for a name and signed by the first, and the client trusts the second.
    async fn of<F: Future<Output = ()> + Send + 'static>(
        framing: Framing,
        within: Duration,
        manner: impl Fn(usize, End) -> F + Send + 'static,
        (signs, trusted): (&Authority, &Authority),
        name: &str,
    ) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).expect("writable");
            path
        };
        let (certificate, key) = signs.sign(name, 2100);
        let chain = certificates(&file("certificate", &certificate)).expect("a certificate");
        let key = private_key(&file("key", &key)).expect("a key");
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.expect("versions").with_no_client_auth().with_single_cert(chain, key);
        let acceptor = TlsAcceptor::from(Arc::new(config.expect("they fit")));
        let tcp = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let uri = format!("wss://localhost:{}/in", tcp.local_addr().expect("bound").port());
        let ca = Some(file("ca", &trusted.pem));
        let options = Options { ca, request_timeout: within, answer_bytes_max: 1_000, ..Options::default() };
        let client = Messages::new(&uri.parse().expect("an address"), framing, options).expect("a client");
        let (connections, mut serving) = (Arc::new(AtomicUsize::new(0)), JoinSet::new());
        let count = Arc::clone(&connections);
        serving.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = tcp.accept().await {
                let Ok(stream) = acceptor.accept(stream).await else { continue };
                let end = match framing {
                    Framing::Lines => End::Lines(Box::new(BufStream::new(stream))),
                    Framing::WebSocket => {
                        let socket = tokio_tungstenite::accept_async(stream).await.expect("a handshake");
                        End::WebSocket(Box::new(socket))
                    }
                };
                open.spawn(manner(count.fetch_add(1, Ordering::Relaxed), end));
            }
        });
        Self { client, connections, _serving: serving, _dir: dir }
    }

    async fn ask(&self, id: u64) -> Result<String, ClientError> {
        let answer = self.client.ask(id, format!("{{\"id\":{id},\"method\":\"echo\"}}")).await?;
        Ok(String::from_utf8(answer).expect("text").trim().to_owned())
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

/// Answers everything.
async fn answer_all(mut end: End) {
    while let Some(asked) = end.read().await {
        end.write(&asked).await;
    }
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { tokio::time::timeout(PATIENCE, test).await.expect("in time") });
}

#[test]
fn answers_in_any_order_belong_to_their_requests() {
    run(async {
        for framing in BOTH {
            let world = World::new(framing, PATIENCE, async |_, mut end: End| {
                let mut asked = Vec::new();
                while asked.len() < 3 {
                    asked.push(end.read().await.expect("a request"));
                }
                end.write("{\"method\":\"news\"}").await;
                end.write("{\"id\":99}").await;
                for text in asked.iter().rev() {
                    end.write(text).await;
                }
                end.read().await;
            })
            .await;
            let answers = tokio::join!(world.ask(1), world.ask(2), world.ask(1 << 52));
            for (answer, id) in [(answers.0, 1), (answers.1, 2), (answers.2, 1_u64 << 52)] {
                assert_eq!(answer.expect("an answer"), format!("{{\"id\":{id},\"method\":\"echo\"}}"));
            }
            assert_eq!(world.connections(), 1, "{framing:?}");
        }
    });
}

#[test]
fn a_connection_that_is_lost_is_told_at_once_and_made_anew() {
    run(async {
        for framing in BOTH {
            let world = World::new(framing, PATIENCE, async |number, mut end: End| match number {
                0 => drop(end.read().await),
                _ => answer_all(end).await,
            })
            .await;
            let begun = Instant::now();
            let lost = world.ask(1).await.expect_err("no answer");
            assert!(matches!(lost.failure, Failure::Disconnected(_)), "{lost:?}");
            assert!(begun.elapsed() < PATIENCE / 2, "{:?}", begun.elapsed());
            for id in [1, 2] {
                world.ask(id).await.expect("an answer");
            }
            assert_eq!(world.connections(), 2, "kept: {framing:?}");
        }
    });
}

#[test]
fn a_server_that_says_nothing_is_left_and_one_that_is_slow_is_not() {
    run(async {
        for framing in BOTH {
            let world = World::new(framing, SHORT, async |number, mut end: End| match number {
                0 => while end.read().await.is_some() {},
                _ => {
                    while let Some(asked) = end.read().await {
                        if !asked.contains("\"id\":7,") {
                            end.write(&asked).await;
                        }
                    }
                }
            })
            .await;
            let silent = world.ask(1).await.expect_err("no answer");
            assert!(matches!(silent.failure, Failure::Timeout(SHORT)), "{silent:?}");
            let (never, other) = tokio::join!(world.ask(7), async {
                world.ask(8).await.expect("another connection");
                world.ask(9).await
            });
            assert!(matches!(never.expect_err("no answer").failure, Failure::Timeout(SHORT)));
            other.expect("an answer");
            world.ask(10).await.expect("an answer");
            assert_eq!(world.connections(), 2, "it answers others: {framing:?}");
        }
    });
}

#[test]
fn an_answer_that_is_too_large_ends_the_connection() {
    run(async {
        for framing in BOTH {
            let world = World::new(framing, PATIENCE, async |_, mut end: End| {
                while let Some(asked) = end.read().await {
                    let more = if asked.contains("\"id\":1,") { 9_000 } else { 0 };
                    end.write(&format!("{{\"more\":\"{}\",{}", "x".repeat(more), &asked[1..])).await;
                }
            })
            .await;
            let large = world.ask(1).await.expect_err("too large");
            assert!(matches!(large.failure, Failure::Disconnected(_)), "{large:?}");
            world.ask(2).await.expect("an answer");
            assert_eq!(world.connections(), 2, "{framing:?}");
        }
    });
}

#[test]
fn certificates_of_nobody_known_are_refused_by_name() {
    run(async {
        let (one, other) = (Authority::new("one"), Authority::new("other"));
        for framing in BOTH {
            for (authorities, name) in [((&one, &other), "localhost"), ((&one, &one), "other.example")] {
                let manner = async |_, end| answer_all(end).await;
                let world = World::of(framing, PATIENCE, manner, authorities, name).await;
                let refused = world.ask(1).await.expect_err("not trusted");
                assert!(refused.failure.is_untrusted(), "{refused:?}");
                assert_eq!(world.connections(), 0);
            }
            let address = "wss://localhost:1".parse().expect("an address");
            let nobody = Messages::new(&address, framing, Options::default());
            let Ok(nobody) = nobody else { continue };
            let refused = nobody.ask(1, "{}".to_owned()).await.expect_err("nobody listens");
            assert!(matches!(refused.failure, Failure::Connect(_)) && !refused.failure.is_untrusted());
        }
    });
}

#[test]
fn one_id_is_under_way_once() {
    run(async {
        let world =
            World::new(Framing::Lines, SHORT, async |_, mut end: End| while end.read().await.is_some() {})
                .await;
        let (first, second) = tokio::join!(world.ask(1), world.ask(1));
        assert!(matches!(first.expect_err("silence").failure, Failure::Timeout(SHORT)));
        assert!(matches!(second.expect_err("the same").failure, Failure::Unreadable(_)));
    });
}
