use crate::dispatch::tests::Fake;
use crate::{Error, Limits, Listener, codes, serve};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

const PATIENCE: Duration = Duration::from_secs(10);

type Socket = WebSocketStream<TcpStream>;

/// Serves the fake on a real socket and runs `client` against it.
fn with<C: Future<Output = ()>>(
    limits: Limits,
    client: impl FnOnce(Arc<Fake>, std::net::SocketAddr, oneshot::Sender<()>) -> C,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let address = listener.local_addr().expect("bound");
        let (stop, stopped) = oneshot::channel();
        let fake = Arc::new(Fake::default());
        let until = async {
            let _: Result<(), _> = stopped.await;
        };
        let serving = serve(listener, Arc::clone(&fake), Arc::new(Listener::open(limits)), until);
        let asking = tokio::time::timeout(PATIENCE, client(fake, address, stop));
        let (served, asked) = tokio::join!(serving, asking);
        served.expect("a clean stop");
        asked.expect("in time");
    });
}

async fn open(address: std::net::SocketAddr, path: &str, origin: Option<&str>) -> Result<Socket, WsError> {
    let stream = TcpStream::connect(address).await.expect("it listens");
    stream.set_nodelay(true).expect("a socket");
    let mut request = format!("ws://{address}{path}").into_client_request().expect("a request");
    if let Some(origin) = origin {
        request.headers_mut().insert("origin", origin.parse().expect("a header"));
    }
    client_async(request, stream).await.map(|(socket, _)| socket)
}

async fn ask(socket: &mut Socket, id: u64, method: &str, params: Value) {
    let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
    socket.send(Message::text(request.to_string())).await.expect("it reads");
}

async fn hear(socket: &mut Socket) -> Value {
    loop {
        match socket.next().await.expect("open").expect("a frame") {
            Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
            Message::Close(frame) => panic!("closed: {frame:?}"),
            _ => (),
        }
    }
}

/// Code and reason of the close frame, which nothing else may precede.
async fn closed(socket: &mut Socket) -> (CloseCode, String) {
    match socket.next().await {
        Some(Ok(Message::Close(Some(frame)))) => (frame.code, frame.reason.to_string()),
        other => panic!("not closed: {other:?}"),
    }
}

async fn subscribe(socket: &mut Socket, count: u64) -> Value {
    ask(socket, 1, "eth_subscribe", json!(["count", count])).await;
    hear(socket).await["result"].clone()
}

#[test]
fn one_message_one_answer() {
    with(Limits::default(), async |_, address, stop| {
        let mut socket = open(address, "/", None).await.expect("a WebSocket");
        ask(&mut socket, 1, "echo", json!([1])).await;
        assert_eq!(hear(&mut socket).await, json!({"jsonrpc": "2.0", "id": 1, "result": [1]}));
        let batch = r#"[{"jsonrpc":"2.0","id":1,"method":"echo"},{"jsonrpc":"2.0","id":2,"method":"none"}]"#;
        socket.send(Message::binary(batch.as_bytes().to_vec())).await.expect("it reads");
        let answers = hear(&mut socket).await;
        assert_eq!((&answers[0]["result"], &answers[1]["error"]["code"]), (&json!(null), &json!(-32601)));
        socket.send(Message::text("{")).await.expect("it reads");
        assert_eq!(hear(&mut socket).await["error"]["code"], codes::PARSE);
        // A call that takes long holds up nothing.
        ask(&mut socket, 7, "hang", json!([])).await;
        ask(&mut socket, 8, "echo", json!([])).await;
        assert_eq!(hear(&mut socket).await["id"], 8);
        assert_eq!(hear(&mut socket).await["error"]["code"], codes::TIMEOUT);
        stop.send(()).expect("it runs");
        assert_eq!(closed(&mut socket).await.0, CloseCode::Away);
    });
}

#[test]
fn min_block_is_a_parameter_of_the_connection() {
    with(Limits::default(), async |_, address, stop| {
        let mut socket =
            open(address, &format!("/?minBlock=17%2C0x{}", "ab".repeat(32)), None).await.expect("open");
        for id in 0..2 {
            ask(&mut socket, id, "pin", json!([])).await;
            let pin = hear(&mut socket).await["result"].to_string();
            assert!(pin.contains("number: 17, hash: Some([171,"), "{pin}");
        }
        assert!(open(address, "/?minBlock=soon", None).await.is_err());
        drop(socket);
        stop.send(()).expect("it runs");
    });
}

#[test]
fn pages_from_elsewhere_are_refused() {
    with(Limits::default(), async |_, address, stop| {
        assert!(open(address, "/", Some("http://localhost:3000")).await.is_ok());
        match open(address, "/", Some("http://evil.example")).await {
            Err(WsError::Http(response)) => assert_eq!(response.status(), 403),
            other => panic!("{other:?}"),
        }
        stop.send(()).expect("it runs");
    });
}

#[test]
fn notifications_follow_the_answer() {
    with(Limits { subscriptions: 1, ..Limits::default() }, async |fake, address, stop| {
        let mut socket = open(address, "/", None).await.expect("a WebSocket");
        let id = subscribe(&mut socket, 200).await;
        for n in 0..200 {
            let params = json!({"subscription": id, "result": format!("0x{n:x}")});
            let expect = json!({"jsonrpc": "2.0", "method": "eth_subscription", "params": params});
            assert_eq!(hear(&mut socket).await, expect);
        }
        ask(&mut socket, 2, "eth_subscribe", json!(["count", 1])).await;
        assert_eq!(hear(&mut socket).await["error"]["code"], codes::LIMIT_EXCEEDED);
        for (result, method) in [(json!(true), "result"), (json!("subscription not found"), "error")] {
            ask(&mut socket, 3, "eth_unsubscribe", json!([id])).await;
            let answer = hear(&mut socket).await;
            assert_eq!(answer[method].get("message").unwrap_or(&answer[method]), &result);
        }
        assert!(fake.published.lock().expect("no panic").iter().all(crate::Publisher::is_closed));
        for (params, code) in
            [(json!(["none"]), -32601), (json!([]), -32602), (json!(["count", "x"]), -32602)]
        {
            ask(&mut socket, 4, "eth_subscribe", params).await;
            assert_eq!(hear(&mut socket).await["error"]["code"], code);
        }
        subscribe(&mut socket, 0).await;
        drop(socket);
        stop.send(()).expect("it runs");
    });
}

/// Takes a subscription's last notification and the close frame behind it.
async fn ended(socket: &mut Socket, id: &Value) -> (Value, CloseCode, String) {
    let last = hear(socket).await;
    assert_eq!((&last["method"], &last["params"]["subscription"]), (&json!("eth_subscription"), id));
    let (code, reason) = closed(socket).await;
    (last["params"]["error"].clone(), code, reason)
}

#[test]
fn subscriptions_end_with_their_reason() {
    with(Limits::default(), async |fake, address, stop| {
        // One that its source ends.
        let mut socket = open(address, "/", None).await.expect("a WebSocket");
        let id = subscribe(&mut socket, 0).await;
        let publisher = fake.published.lock().expect("no panic").pop().expect("one");
        publisher.close(Error::server("gone"));
        let (error, code, reason) = ended(&mut socket, &id).await;
        assert_eq!((error["message"].as_str(), code, &*reason), (Some("gone"), CloseCode::Again, "gone"));
        // One on a replica that turns stale.
        let mut socket = open(address, "/", None).await.expect("a WebSocket");
        let id = subscribe(&mut socket, 0).await;
        fake.unfit.store(true, Ordering::Relaxed);
        let (error, code, _) = ended(&mut socket, &id).await;
        assert_eq!((error["code"].as_i64(), code), (Some(i64::from(codes::STALE)), CloseCode::Again));
        fake.unfit.store(false, Ordering::Relaxed);
        // One on a server that stops.
        let mut socket = open(address, "/", None).await.expect("a WebSocket");
        let id = subscribe(&mut socket, 0).await;
        stop.send(()).expect("it runs");
        let (error, code, _) = ended(&mut socket, &id).await;
        assert_eq!((error["message"].as_str(), code), (Some("the server stops"), CloseCode::Away));
    });
}

#[test]
fn a_client_that_does_not_read_is_given_up() {
    let limits = Limits { write: Duration::from_millis(100), ..Limits::default() };
    with(limits, async |fake, address, stop| {
        let mut socket = open(address, "/", None).await.expect("a WebSocket");
        subscribe(&mut socket, 0).await;
        // More than two kernels and 20,000 places can hold.
        let large = crate::Json::string(&"x".repeat(4_000));
        let sent = async {
            loop {
                let gone =
                    fake.published.lock().expect("no panic").iter().any(|one| !one.send(large.clone()));
                if gone {
                    break;
                }
                tokio::task::yield_now().await;
            }
        };
        sent.await;
        while !fake.published.lock().expect("no panic").iter().all(crate::Publisher::is_closed) {
            tokio::task::yield_now().await;
        }
        stop.send(()).expect("it runs");
    });
}

#[test]
fn silent_peers_and_large_messages_end() {
    let limits = Limits { ping: Duration::from_millis(50), body_bytes: 2_000, ..Limits::default() };
    with(limits, async |_, address, stop| {
        let mut socket = open(address, "/", None).await.expect("a WebSocket");
        // One that answers pings lives longer than two of them.
        let alive = async { while let Some(Ok(_)) = socket.next().await {} };
        assert!(tokio::time::timeout(Duration::from_millis(400), alive).await.is_err());
        // One that does not, does not.
        let mut silent = open(address, "/", None).await.expect("a WebSocket").into_inner();
        let mut bytes = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut silent, &mut bytes).await.expect("it is closed");
        assert_eq!(bytes, [0x89, 0], "one ping and the end");
        let mut socket = open(address, "/", None).await.expect("a WebSocket");
        ask(&mut socket, 1, "echo", json!(["x".repeat(3_000)])).await;
        assert_eq!(closed(&mut socket).await.0, CloseCode::Size);
        stop.send(()).expect("it runs");
    });
}
