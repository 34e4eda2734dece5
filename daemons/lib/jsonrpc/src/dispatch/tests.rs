use super::*;
use crate::turns::TURN;
use serde_json::Value;

/// Fake of an Api. Methods: `echo` gives its parameters, `fail CODE`, `big N` gives N bytes, `hang` never ends, `late`
/// waits for a turn, `work` holds its thread for one, `pin` gives the pin.
/// `eth_subscribe` knows `count`, which sends its second parameter's numbers at once.
#[derive(Default)]
pub(crate) struct Fake {
    pub(crate) published: std::sync::Mutex<Vec<crate::Publisher>>,
    pub(crate) unfit: std::sync::atomic::AtomicBool,
}

impl Api for Fake {
    type Pin = Option<Result<MinBlock, Error>>;

    async fn pin(&self, min: Option<Result<MinBlock, Error>>) -> Self::Pin {
        min
    }

    fn block(_: &Self::Pin) -> Option<(u64, String)> {
        Some((7, format!("0x{:064x}", 7)))
    }

    async fn call(
        &self,
        pin: &Arc<Self::Pin>,
        method: &str,
        params: Option<&RawValue>,
    ) -> Result<Json, Error> {
        if let Some(Err(error)) = &**pin {
            return Err(error.clone());
        }
        let number = |text: &str| text.trim_matches(['[', ']']).parse::<i32>().unwrap_or_default();
        let params = params.map_or("null", RawValue::get);
        match method {
            "echo" => Ok(Json::Owned(params.to_owned())),
            "fail" => Err(Error::new(number(params), "failed").with_data(Json::quantity(1))),
            "big" => Ok(Json::string(&"x".repeat(usize::try_from(number(params)).unwrap_or_default()))),
            "pin" => Ok(Json::string(&format!("{pin:?}"))),
            "rpc_modules" => Ok(Json::Static(r#"{"debug":"1.0","echo":"1.0"}"#)),
            "late" => {
                tokio::time::sleep(TURN).await;
                Ok(Json::TRUE)
            }
            "hang" => std::future::pending().await,
            "work" => {
                // Holds its thread, as a call does that is answered at once.
                std::thread::sleep(TURN);
                Ok(Json::TRUE)
            }
            other => Err(Error::no_method(other)),
        }
    }

    async fn subscribe(
        &self,
        _: &Arc<Self::Pin>,
        namespace: &str,
        kind: &str,
        params: Option<&RawValue>,
    ) -> Result<Events, Error> {
        if (namespace, kind) != ("eth", "count") {
            return Err(Error::no_subscription(namespace, kind));
        }
        let mut args = crate::Args::parse(params, 2)?;
        args.required(|_| Ok(()))?;
        let count: u64 = args.required(|text| text.parse().map_err(|_| "want a number".to_owned()))?;
        let (publisher, events) = crate::subscriptions::channel();
        let _ = (0..count).all(|n| publisher.send(Json::quantity(n)));
        self.published.lock().expect("no panic").push(publisher);
        Ok(events)
    }

    fn fit(&self) -> Result<(), Error> {
        match self.unfit.load(std::sync::atomic::Ordering::Relaxed) {
            true => Err(Error::new(codes::STALE, "replica is stale: silent")),
            false => Ok(()),
        }
    }

    fn methods(&self) -> Vec<Described> {
        ["echo", "debug_big"].map(|name| Described { name, params: "" }).to_vec()
    }

    fn time_limit(&self, method: &str) -> Option<Duration> {
        (method == "hang").then_some(Duration::from_millis(200))
    }
}

fn ask(body: &str, limits: &Limits) -> Answer {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(answer(&Fake::default(), &Arc::new(None), body.as_bytes(), limits))
}

#[track_caller]
fn check(body: &str, status: u16, expect: &str) {
    let limits = Limits { batch_calls: 3, answer_bytes: 1_000, ..Limits::default() };
    let got = ask(body, &limits);
    let (got, body) = (got.status, got.body.into_string());
    assert_eq!(got, status, "{body}");
    if expect.is_empty() {
        assert_eq!(body, "");
        return;
    }
    let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_else(|e| panic!("{e}: {text}"));
    assert_eq!(parse(&body), parse(expect));
}

fn call(id: &str, method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
}

fn error(id: &str, code: i32, message: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":"{message}"}}}}"#)
}

fn result(id: &str, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
}

#[test]
fn single_calls() {
    check(&call("1", "echo", "[1,\"a\"]"), 200, &result("1", "[1,\"a\"]"));
    check(&call("\"x\"", "echo", "[]"), 200, &result("\"x\"", "[]"));
    check(&call("null", "echo", "[]"), 200, &result("null", "[]"));
    check(r#"{"jsonrpc":"2.0","id":1,"method":"echo"}"#, 200, &result("1", "null"));
    let unknown = "the method eth_none does not exist/is not available";
    check(&call("1", "eth_none", "[]"), 200, &error("1", codes::METHOD_NOT_FOUND, unknown));
}

#[test]
fn what_is_no_call() {
    check("{", 200, &error("null", codes::PARSE, "parse error"));
    check("", 200, &error("null", codes::PARSE, "parse error"));
    check("7", 200, &error("null", codes::INVALID_REQUEST, "invalid request"));
    check(r#"{"id":1,"method":"echo"}"#, 200, &error("1", codes::INVALID_REQUEST, "invalid request"));
    check(r#"{"jsonrpc":"2.0","id":1}"#, 200, &error("1", codes::INVALID_REQUEST, "invalid request"));
    check(
        r#"{"jsonrpc":"2.0","id":1,"method":5}"#,
        200,
        &error("1", codes::INVALID_REQUEST, "invalid request"),
    );
    check(&call("{}", "echo", "[]"), 200, &error("null", codes::INVALID_REQUEST, "invalid request"));
    check(r#"{"jsonrpc":"2.0","method":"echo"}"#, 200, "");
}

#[test]
fn members_have_names_in_any_case() {
    check(r#"{"JSONRPC":"2.0","Id":1,"METHOD":"echo","Params":[7]}"#, 200, &result("1", "[7]"));
    check(r#"{"jsonrpc":"2.0","ID":1,"method":"echo","Params":[7]}"#, 200, &result("1", "[7]"));
    check(r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"echo","params":[7]}"#, 200, &result("2", "[7]"));
}

#[test]
fn answers_get_no_answer() {
    for member in [r#""result":1"#, r#""result":null"#, r#""error":{"code":1,"message":"a"}"#] {
        check(&format!(r#"{{"jsonrpc":"2.0","id":1,{member}}}"#), 200, "");
        let batch = format!(r#"[{{"jsonrpc":"2.0","id":1,{member}}},{}]"#, call("2", "echo", "[1]"));
        check(&batch, 200, &format!("[{}]", result("2", "[1]")));
    }
    // As in geth, only what cannot be a call.
    let both = r#"{"jsonrpc":"2.0","id":1,"result":1,"params":[]}"#;
    check(both, 200, &error("1", codes::INVALID_REQUEST, "invalid request"));
    check(r#"{"id":1,"result":1}"#, 200, &error("1", codes::INVALID_REQUEST, "invalid request"));
}

#[test]
fn batches() {
    let two = format!("[{},{}]", call("1", "echo", "[1]"), call("2", "fail", "[3]"));
    let failed = r#"{"jsonrpc":"2.0","id":2,"error":{"code":3,"message":"failed","data":"0x1"}}"#;
    check(&two, 200, &format!("[{},{failed}]", result("1", "[1]")));
    check("[]", 200, &error("null", codes::INVALID_REQUEST, "empty batch"));
    let four = vec![call("1", "echo", "[]"); 4].join(",");
    check(&format!("[{four}]"), 200, &format!("[{}]", error("1", codes::INVALID_REQUEST, "batch too large")));
    check(r#"[{"jsonrpc":"2.0","method":"echo"}]"#, 200, "");
    let mixed = format!(r#"[{{"jsonrpc":"2.0","method":"echo"}},{}]"#, call("1", "echo", "[]"));
    check(&mixed, 200, &format!("[{}]", result("1", "[]")));
}

#[test]
fn sizes() {
    let large = |id: &str| error(id, codes::RESPONSE_TOO_LARGE, "response too large");
    check(&call("1", "big", "[2000]"), 200, &large("1"));
    let batch =
        format!("[{},{},{}]", call("1", "big", "[900]"), call("2", "big", "[900]"), call("3", "big", "[1]"));
    let got = ask(&batch, &Limits { answer_bytes: 1_000, ..Limits::default() });
    let got: Vec<Value> = serde_json::from_str(&got.body.into_string()).expect("a list");
    let code = |index: usize| got.get(index).and_then(|answer| answer["error"]["code"].as_i64());
    assert_eq!((code(0), code(1)), (None, Some(i64::from(codes::RESPONSE_TOO_LARGE))));
}

#[test]
fn late_calls_are_told_so() {
    let late = |id: &str| error(id, codes::TIMEOUT, "request timed out");
    check(&call("1", "hang", "[]"), 200, &late("1"));
    let limits = Limits { answer: Duration::ZERO, ..Limits::default() };
    let got = ask(&format!("[{},{}]", call("1", "hang", "[]"), call("2", "hang", "[]")), &limits);
    let parse = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    assert_eq!(parse(&got.body.into_string()), parse(&format!("[{},{}]", late("1"), late("2"))));
}

#[test]
fn http_pushes_nothing() {
    let unsupported = error("1", codes::METHOD_NOT_FOUND, "notifications not supported");
    check(&call("1", "eth_subscribe", "[\"count\", 1]"), 200, &unsupported);
    let none = error("1", codes::SERVER, "subscription not found");
    check(&call("1", "eth_unsubscribe", "[\"0x1\"]"), 200, &none);
}

#[test]
fn status_is_told_when_all_calls_agree() {
    let stale = |id: &str| call(id, "fail", &format!("[{}]", codes::STALE));
    assert_eq!(ask(&stale("1"), &Limits::default()).status, 503);
    assert_eq!(ask(&format!("[{},{}]", stale("1"), stale("2")), &Limits::default()).status, 503);
    let mixed = format!("[{},{}]", stale("1"), call("2", "echo", "[]"));
    assert_eq!(ask(&mixed, &Limits::default()).status, 200);
}

#[test]
fn a_batch_of_quick_calls_lets_others_have_their_turn() {
    let batch = format!("[{}]", vec![call("1", "work", "[]"); 5].join(","));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let limits = Limits::default();
    let (fake, pin) = (Fake::default(), Arc::new(None));
    let answering = async {
        answer(&fake, &pin, batch.as_bytes(), &limits).await;
        Instant::now()
    };
    let beside = async { Instant::now() };
    let (batch, beside) = runtime.block_on(async { tokio::join!(answering, beside) });
    assert!(beside + TURN * 3 < batch, "the client beside waited for the whole batch");
}

#[test]
fn a_batch_of_quick_calls_has_a_deadline() {
    let limits = Limits { answer: TURN * 100, ..Limits::default() };
    let got = ask(&format!("[{}]", vec![call("1", "work", "[]"); 300].join(",")), &limits);
    let got: Vec<Value> = serde_json::from_str(&got.body.into_string()).expect("a list");
    assert_eq!(got.first().map(|answer| &answer["result"]), Some(&Value::Bool(true)));
    assert_eq!(got.last().map(|answer| &answer["error"]["code"]), Some(&Value::from(codes::TIMEOUT)));
}

#[test]
fn of_members_with_one_name_the_last_counts_in_whatever_case() {
    let done = |id: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":[1]}}"#);
    let usual = r#""jsonrpc":"2.0","method":"echo","params":[1]"#;
    check(&format!(r#"{{"id":null,"iD":1,{usual}}}"#), 200, &done("1"));
    check(&format!(r#"{{"ID":1,"id":2,{usual}}}"#), 200, &done("2"));
    check(&format!(r#"{{"id":1,{usual},"PARAMS":[1]}}"#), 200, &done("1"));
    check(&format!(r#"{{"id":1,{usual},"more":{{}}}}"#), 200, &done("1"));
}

#[test]
fn a_batch_that_finds_no_room_runs_no_further() {
    let limits = Limits { answer_bytes: 100_000, ..Limits::default() };
    let share = crate::in_flight::InFlight::new(&limits).answers(Owner::default());
    let mut held = Held::of(Some(&share));
    held.take(390_000).expect("less than four answers");
    let call = |method: &str, number: u32| {
        format!(r#"{{"jsonrpc":"2.0","id":{number},"method":"{method}","params":[{number}]}}"#)
    };
    let body = format!("[{},{},{}]", call("echo", 1), call("big", 50_000), call("echo", 3));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let (api, pin) = (Fake::default(), Arc::new(None));
    let ask = || {
        let peer = Peer { share: Some(&share), ..Peer::default() };
        let answer = answer_to(peer, &api, &pin, body.as_bytes(), &limits);
        let body = runtime.block_on(answer).body.into_string();
        let answers: Vec<Value> = serde_json::from_str(&body).expect("a batch");
        answers.iter().map(|each| each["error"]["code"].as_i64()).collect::<Vec<_>>()
    };
    assert_eq!(ask(), [None, Some(-32005), Some(-32005)]);
    drop(held);
    assert_eq!(ask(), [None; 3]);
}
