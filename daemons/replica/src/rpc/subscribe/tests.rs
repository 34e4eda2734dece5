//! Subscriptions over a real WebSocket, on a chain that is moved by hand.

use crate::rpc::tests::fake::{self, Chain};
use crate::rpc::tests::still::Still;
use crate::rpc::tests::{self, rpc};
use futures_util::{SinkExt as _, StreamExt as _};
use maidenlane_jsonrpc::{Api as _, Limits, Listener};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

/// Answer to one request over no wire, beside the runtime that the test runs on.
fn ask(live: Arc<Still>, method: &str, params: Value) -> Value {
    std::thread::scope(|scope| {
        scope.spawn(|| tests::ask(&rpc(live), method, params)).join().expect("no panic")
    })
}

/// One client on one chain.
struct BlockContext {
    live: Arc<Still>,
    socket: WebSocketStream<TcpStream>,
    _server: JoinSet<()>,
}

impl BlockContext {
    async fn at(chain: Chain) -> Self {
        let live = Arc::new(Still::new(chain));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let mut server = JoinSet::new();
        let served = rpc(Arc::clone(&live));
        let rules = Arc::new(Listener::open(Limits::default()));
        server.spawn(async move {
            maidenlane_jsonrpc::serve(listener, Arc::new(served), rules, std::future::pending())
                .await
                .expect("it serves");
        });
        let stream = TcpStream::connect(address).await.expect("it listens");
        let (socket, _) = client_async(format!("ws://{address}/"), stream).await.expect("a WebSocket");
        Self { live, socket, _server: server }
    }

    async fn next(&mut self) -> Value {
        let next = tokio::time::timeout(Duration::from_secs(30), self.socket.next());
        let message = next.await.expect("in time").expect("open").expect("a message");
        serde_json::from_str(message.to_text().expect("text")).expect("JSON")
    }

    /// The answer to one request.
    async fn ask(&mut self, method: &str, params: Value) -> Value {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        self.socket.send(Message::text(request)).await.expect("sent");
        self.next().await
    }

    async fn subscribe(&mut self, params: Value) -> Value {
        self.ask("eth_subscribe", params).await["result"].clone()
    }

    /// The next notification's `result`, which must belong to `id`.
    async fn notice(&mut self, id: &Value) -> Value {
        let message = self.next().await;
        assert_eq!(message["method"], "eth_subscription", "{message}");
        assert_eq!(&message["params"]["subscription"], id, "{message}");
        message["params"]["result"].clone()
    }
}

fn run(test: impl AsyncFnOnce(Chain)) {
    let Some(chain) = fake::chain() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(test(chain));
}

#[test]
fn every_block_that_comes_is_announced_and_a_head_that_goes_back() {
    run(async |chain| {
        let mut scene = BlockContext::at(chain.at(50)).await;
        let id = scene.subscribe(json!(["newHeads"])).await;
        scene.live.show(chain.at(52));
        for number in ["0x33", "0x34"] {
            let head = scene.notice(&id).await;
            assert_eq!(head["number"], number);
            let block = ask(Arc::clone(&scene.live), "eth_getHeaderByNumber", json!([number]));
            for (name, value) in block["result"].as_object().expect("a header") {
                assert_eq!(&head[name], value, "{name}");
            }
            assert_eq!(head["slotNumber"], Value::Null, "there, but nothing");
        }
        scene.live.show(chain.undone_to(51).0);
        assert_eq!(scene.notice(&id).await["number"], "0x33");
        assert_eq!(scene.ask("eth_unsubscribe", json!([id])).await["result"], true);
        scene.live.show(chain.at(53));
        assert_eq!(scene.ask("eth_blockNumber", json!([])).await["result"], "0x35", "nothing in between");
    });
}

/// A head that comes between a request's view and the start of the task that notifies.
#[test]
fn a_head_that_came_meanwhile_is_announced_at_once() {
    run(async |chain| {
        let live = Arc::new(Still::new(chain.at(50)));
        let served = rpc(Arc::clone(&live));
        let view = Arc::new(served.pin(None).await);
        live.show(chain.at(51));
        let mut events = served.subscribe(&view, "eth", "newHeads", None).await.expect("a subscription");
        let next = tokio::time::timeout(Duration::from_secs(2), events.next()).await;
        let head = next.expect("at once, without another head").expect("a head");
        assert!(head.as_str().contains("\"number\":\"0x33\""), "{}", head.as_str());
    });
}

#[test]
fn logs_come_and_are_taken_back() {
    run(async |chain| {
        // A block with logs, and what they say.
        let whole = Arc::new(Still::new(chain.clone()));
        let logs = |number: u64| {
            let range = format!("{number:#x}");
            ask(Arc::clone(&whole), "eth_getLogs", json!([{"fromBlock": range, "toBlock": range}]))["result"]
                .clone()
        };
        let number = (1..54).rev().find(|number| logs(*number) != json!([])).expect("there are logs");
        let logs: Vec<Value> = logs(number).as_array().expect("a list").clone();
        let address = logs.first().expect("not empty")["address"].clone();
        let mut scene = BlockContext::at(chain.at(number - 1)).await;
        let all = scene.subscribe(json!(["logs", {}])).await;
        let some = scene.subscribe(json!(["logs", {"address": address}])).await;
        let none = scene.subscribe(json!(["logs", {"address": format!("0x{}", "77".repeat(20))}])).await;
        assert_ne!(some, none);
        scene.live.show(chain.at(number));
        let wanted = logs.iter().filter(|log| log["address"] == address).count();
        let (mut of_all, mut of_some) = (Vec::new(), Vec::new());
        for _ in 0..logs.len() + wanted {
            let message = scene.next().await;
            let list = if message["params"]["subscription"] == all { &mut of_all } else { &mut of_some };
            list.push(message["params"]["result"].clone());
        }
        assert_eq!(of_all, logs);
        assert_eq!(of_some.len(), wanted);
        assert_eq!(scene.ask("eth_unsubscribe", json!([some])).await["result"], true);
        scene.live.show(chain.undone_to(number - 1).0);
        for log in &logs {
            let mut gone = log.clone();
            gone["removed"] = json!(true);
            assert_eq!(scene.notice(&all).await, gone);
        }
    });
}

#[test]
fn receipts_come_by_the_block() {
    run(async |chain| {
        let block = ask(Arc::new(Still::new(chain.clone())), "eth_getBlockReceipts", json!(["0x35"]));
        let receipts = block["result"].as_array().expect("a list").clone();
        let hash = receipts.first().expect("a transaction")["transactionHash"].clone();
        let mut scene = BlockContext::at(chain.at(52)).await;
        let id = scene.subscribe(json!(["transactionReceipts", {"transactionHashes": [hash]}])).await;
        scene.live.show(chain.at(53));
        assert_eq!(scene.notice(&id).await, json!([receipts[0]]));
    });
}

#[test]
fn what_cannot_be_subscribed_to_is_refused() {
    run(async |chain| {
        let mut scene = BlockContext::at(chain).await;
        for (params, code) in [
            (json!(["nope"]), -32601),
            (json!(["logs"]), -32602),
            (json!(["logs", {"fromBlock": "pending"}]), -32602),
            (json!(["logs", {"fromBlock": "0x5", "toBlock": "0x4"}]), -32602),
        ] {
            let answer = scene.ask("eth_subscribe", params.clone()).await;
            assert_eq!(answer["error"]["code"], code, "{params}: {answer}");
        }
        assert!(scene.subscribe(json!(["newPendingTransactions", true])).await.is_string());
        assert!(scene.subscribe(json!(["syncing"])).await.is_string());
    });
}
