//! Answers of a checker over its real listeners: to haproxy, to HTTP clients, to operators.

#![expect(clippy::unwrap_used, reason = "a test: what is unexpected may panic")]

use maidenlane_chain::{B256, BlockRef};
use maidenlane_health::agent;
use maidenlane_health::allow::Allow;
use maidenlane_health::board::{Board, Group, Plan, Target};
use maidenlane_health::control::{Desk, Question};
use maidenlane_health::cordons::Cordons;
use maidenlane_health::http::{Source, router};
use maidenlane_health::hub::{Hub, Views};
use maidenlane_health::incidents::Record;
use maidenlane_health::limits::Limits;
use maidenlane_health::listen;
use maidenlane_health::metrics::Gauges;
use maidenlane_health::observe::{Observation, Seen, Tip};
use maidenlane_health::probe::News;
use maidenlane_health::steady::Terms;
use maidenlane_health::verdict::Verdict;
use maidenlane_health::view::View;
use maidenlane_jsonrpc::control::Answer;
use maidenlane_service::{Health, Shutdown, clock};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

const NAMES: [&str; 3] = ["r1", "r2", "r3"];

/// A checker of three targets, whose observations the test makes.
struct Checker {
    news: mpsc::Sender<News>,
    views: Views,
    desk: Desk,
    health: Health,
    agent: SocketAddr,
    http: SocketAddr,
    tasks: JoinSet<()>,
    dir: TempDir,
}

fn plan() -> Plan {
    let second = Duration::from_secs(1);
    let group = Group {
        name: "rpc".to_owned(),
        limits: Limits { head_age: None, ..Limits::of(second * 12) },
        terms: Terms { fall: 1, rise: 1, dwell: Duration::ZERO },
        interval: second,
        timeout: second,
        floor: 0,
        degraded_percent: 10,
    };
    let target = |name: &str| Target {
        name: name.to_owned(),
        group: 0,
        source: Some("a".to_owned()),
        executes: false,
        trusted: false,
        serves: format!("10.0.0.{}:8545", &name[1..]).parse().ok(),
    };
    let targets = NAMES.map(target).to_vec();
    Plan { chain_id: 1, genesis: None, block_time: second * 12, groups: vec![group], targets }
}

impl Checker {
    async fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), plan()).await
    }

    async fn start_in(dir: TempDir, plan: Plan) -> Self {
        let (record, notes, history) = Record::open(dir.path(), clock::now_ms()).unwrap();
        let (health, shutdown) = (Health::default(), Shutdown::new());
        let cordons = Cordons::open(dir.path()).unwrap();
        let hub = Hub::new(Board::new(plan), &cordons, notes, Gauges::default(), health.clone());
        let views = hub.views();
        let ((news, observed), (commands, obeyed)) = (mpsc::channel(16), mpsc::channel(1));
        let mut tasks = JoinSet::new();
        let (agents, pages) = (bound().await, bound().await);
        let (agent, http) = (agents.local_addr().unwrap(), pages.local_addr().unwrap());
        let answers = views.clone();
        let answer = move |stream| agent::converse(stream, answers.clone());
        let most = (Allow::default(), agent::CLIENTS_MAX);
        let serving = listen::serve(agents, most, shutdown.clone(), answer);
        tasks.spawn(async { serving.await.unwrap() });
        let source = Source::new(views.clone(), history.clone(), shutdown.clone());
        tasks.spawn(async {
            maidenlane_health::serve_http(pages, router(source), Allow::default(), Shutdown::new())
                .await
                .unwrap();
        });
        let cordons = Arc::new(Mutex::new(cordons));
        let unwritten = hub.unwritten();
        let desk = Desk { views: views.clone(), record: history, cordons, unwritten, commands };
        tasks.spawn(async { hub.run(observed, obeyed, shutdown).await.unwrap() });
        // Ends with the hub.
        tasks.spawn_blocking(|| record.run());
        Self { news, views, desk, health, agent, http, tasks, dir }
    }

    /// An observation, and the wait for what follows from it.
    async fn observe(&mut self, name: &str, seen: Result<u64, &str>, expect: Verdict) {
        let seen = seen.map_err(str::to_owned).map(|number| Seen {
            chain_id: Some(1),
            latest: Some(Tip {
                block: BlockRef::new(number, B256::repeat_byte(7)),
                time_s: Some(clock::now().as_secs()),
            }),
            peers: Some(3),
            hashes: vec![(1, B256::repeat_byte(1))],
            ..Seen::default()
        });
        let index = NAMES.iter().position(|known| *known == name).unwrap();
        self.news.send((index, Observation { took: Duration::ZERO, seen })).await.unwrap();
        let is = |view: &Arc<View>| {
            let target = view.target(name).unwrap();
            target.observed.is_some() && target.verdict == expect
        };
        let within = tokio::time::timeout(Duration::from_secs(10), self.views.latest.wait_for(is)).await;
        drop(within.unwrap_or_else(|_| panic!("{name} is not {expect}")).unwrap());
    }

    /// Reply to haproxy.
    async fn agent(&self, name: &str) -> String {
        let mut stream = TcpStream::connect(self.agent).await.unwrap();
        stream.write_all(format!("{name}\n").as_bytes()).await.unwrap();
        let mut told = String::new();
        stream.read_to_string(&mut told).await.unwrap();
        told
    }

    /// Status, head and body of an answer over HTTP.
    async fn http(&self, request: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(self.http).await.unwrap();
        let mut lines = request.lines();
        let first = lines.next().unwrap();
        let rest: String = lines.map(|line| format!("{line}\r\n")).collect();
        let request = format!("{first} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{rest}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_owned(), body.to_owned())
    }

    async fn status(&self, request: &str) -> u16 {
        self.http(request).await.0
    }

    async fn ask(&self, question: Question) -> Answer {
        self.desk.clone().answer(Ok(question)).await
    }
}

async fn bound() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

#[tokio::test]
async fn nobody_is_let_in_before_the_first_round() {
    let mut checker = Checker::start().await;
    assert_eq!(checker.agent("r1").await, "ready down #starting\n");
    assert_eq!((checker.status("GET /ready").await, checker.status("GET /health/r1").await), (503, 503));
    assert!(checker.health.ready().is_err());
    checker.observe("r1", Ok(100), Verdict::Healthy).await;
    checker.observe("r2", Ok(100), Verdict::Healthy).await;
    assert_eq!((checker.status("GET /ready").await, checker.status("GET /health/r1").await), (503, 200));
    // Fit is who has looked at all, whatever they are like.
    checker.observe("r3", Err("no answer"), Verdict::Down).await;
    assert_eq!(checker.status("GET /ready").await, 200);
    assert_eq!(checker.health.ready(), Ok(()));
    assert_eq!(checker.agent("nobody").await, "", "haproxy goes by its own check");
    checker.tasks.shutdown().await;
}

#[tokio::test]
async fn nobody_goes_by_what_is_old() {
    let mut old = plan();
    for group in &mut old.groups {
        (group.interval, group.timeout) = (Duration::from_millis(20), Duration::from_millis(20));
    }
    let mut checker = Checker::start_in(tempfile::tempdir().unwrap(), old).await;
    for name in NAMES {
        checker.observe(name, Ok(100), Verdict::Healthy).await;
    }
    // Nothing is observed any more, as after a standstill of the process.
    let silent = async {
        while checker.status("GET /ready").await == 200 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), silent).await.unwrap();
    assert_eq!(checker.agent("r1").await, "", "haproxy keeps the last word, and leaves for another checker");
    assert_eq!(checker.status("GET /health/r1").await, 503);
    checker.tasks.shutdown().await;
}

#[tokio::test]
async fn silent_clients_keep_nobody_waiting_for_long() {
    let mut checker = Checker::start().await;
    checker.observe("r1", Ok(100), Verdict::Healthy).await;
    let mut silent = Vec::new();
    while silent.len() < 400 {
        silent.push((
            TcpStream::connect(checker.agent).await.unwrap(),
            TcpStream::connect(checker.http).await.unwrap(),
        ));
    }
    let asked = async { (checker.agent("r1").await, checker.status("GET /health/r1").await) };
    let told = tokio::time::timeout(Duration::from_secs(5), asked).await.unwrap();
    assert_eq!(told, ("ready up 100%\n".to_owned(), 200));
    // Pages that are open leave room for balancers.
    let mut statuses = Vec::new();
    let mut pages = Vec::new();
    for _ in 0..70 {
        let mut stream = TcpStream::connect(checker.http).await.unwrap();
        stream.write_all(b"GET /events HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut head = [0; 12];
        stream.read_exact(&mut head).await.unwrap();
        statuses.push(head.ends_with(b"200"));
        pages.push(stream);
    }
    assert_eq!(statuses.iter().filter(|fine| **fine).count(), 64);
    drop((silent, pages));
    checker.tasks.shutdown().await;
}

#[tokio::test]
async fn balancers_learn_verdicts_in_their_own_ways() {
    let mut checker = Checker::start().await;
    for (name, number) in [("r1", 100), ("r2", 100), ("r3", 50)] {
        let expect = if number == 50 { Verdict::Down } else { Verdict::Healthy };
        checker.observe(name, Ok(number), expect).await;
    }
    assert_eq!(checker.agent("r1").await, "ready up 100%\n");
    assert_eq!(checker.agent("r3").await, "ready down #lag: 50 blocks behind 100 (limit: 2 blocks)\n");
    let (status, head, body) = checker.http("GET /health/r1").await;
    let hash = B256::repeat_byte(7).to_string();
    assert!(status == 200 && head.contains("x-block-number: 100\r\n") && head.contains(&hash), "{head}");
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["verdict"], "healthy");
    let (status, head, body) = checker.http("HEAD /health/r3").await;
    assert!(status == 503 && body.is_empty() && head.contains("x-block-number: 50\r\n"), "{head}");
    assert_eq!(checker.status("GET /health/rpc").await, 200, "a group is as good as its best");
    assert_eq!(checker.status("GET /health/nobody").await, 404);
    let demand = |demand: &str| format!("GET /health/r1\nX-ERIGON-HEALTHCHECK: {demand}");
    for (text, expect) in [
        ("synced", 200),
        ("max_seconds_behind600, min_peer_count3", 200),
        ("min_peer_count4", 503),
        ("check_block100", 200),
        ("check_block101", 503),
        ("whatever", 503),
    ] {
        assert_eq!(checker.status(&demand(text)).await, expect, "{text}");
    }
    // Nobody knows what other bytes demand: that must not look like a target which meets it.
    let (status, _, body) = checker.http(&demand("syncéd")).await;
    assert!(status == 400 && body.contains("X-ERIGON-HEALTHCHECK"), "{status} {body}");
    let (status, _, body) = checker.http("GET /health/r1?min=foo").await;
    assert!(status == 400 && body.contains("set min to healthy or degraded"), "{status} {body}");
    let (_, _, body) = checker.http("GET /servers/rpc").await;
    let servers: Value = serde_json::from_str(&body).unwrap();
    let addresses: Vec<_> = servers.as_array().unwrap().iter().map(|server| &server["address"]).collect();
    assert_eq!(addresses, ["10.0.0.1:8545", "10.0.0.2:8545"]);
    checker.tasks.shutdown().await;
}

#[tokio::test]
async fn a_cordon_takes_out_and_outlives_the_process() {
    let mut checker = Checker::start().await;
    for name in NAMES {
        checker.observe(name, Ok(100), Verdict::Healthy).await;
    }
    let cordon = |drain| Question::Cordon { target: "r2".to_owned(), reason: "a new disk".to_owned(), drain };
    let Answer::Told(told) = checker.ask(cordon(false)).await else { panic!("refused") };
    assert_eq!(told["verdict"], "draining");
    assert_eq!(checker.agent("r2").await, "maint\n");
    checker.ask(cordon(true)).await;
    assert_eq!(checker.agent("r2").await, "drain up\n");
    let unknown = checker.ask(Question::Uncordon { target: "r9".to_owned() }).await;
    assert!(matches!(unknown, Answer::Failed { exit: 78, .. }), "{unknown:?}");
    checker.tasks.shutdown().await;
    let Checker { dir, .. } = checker;
    let mut checker = Checker::start_in(dir, plan()).await;
    checker.observe("r2", Ok(100), Verdict::Draining).await;
    let Answer::Told(told) = checker.ask(Question::Uncordon { target: "r2".to_owned() }).await else {
        panic!("refused")
    };
    assert_eq!(told["verdict"], "healthy");
    assert_eq!(checker.agent("r2").await, "ready up 100%\n");
    let incidents = checker.ask(Question::Incidents { subjects: vec!["r2".to_owned()] }).await;
    let Answer::Told(told) = incidents else { panic!("refused") };
    assert_eq!(told["measured"]["r2"]["7"]["failures"], 0, "a cordon is no failure");
    assert!(told["incidents"].to_string().contains("a new disk"), "{told}");
    checker.tasks.shutdown().await;
}

#[tokio::test]
async fn a_command_that_changes_nothing_or_is_not_on_disk_says_so() {
    let mut checker = Checker::start().await;
    for name in NAMES {
        checker.observe(name, Ok(100), Verdict::Healthy).await;
    }
    let cordon =
        |reason: &str| Question::Cordon { target: "r2".to_owned(), reason: reason.to_owned(), drain: false };
    let uncordon = || Question::Uncordon { target: "r2".to_owned() };
    let note = |answer: Answer| {
        let Answer::Told(told) = answer else { panic!("{answer:?}") };
        (told["verdict"].as_str().unwrap().to_owned(), told["note"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(note(checker.ask(uncordon()).await), ("healthy".to_owned(), "r2 was not cordoned".to_owned()));
    assert_eq!(note(checker.ask(cordon("first")).await), ("draining".to_owned(), String::new()));
    let (_, told) = note(checker.ask(cordon("second")).await);
    assert_eq!(told, "r2 was cordoned already (first): the new reason stands");

    // A disk that takes nothing: who is out by hand may come back, nobody else goes out.
    let obstacle = checker.dir.path().join("cordons.json.new");
    std::fs::create_dir(&obstacle).unwrap();
    let refused =
        checker.ask(Question::Cordon { target: "r1".to_owned(), reason: "x".to_owned(), drain: false });
    let Answer::Failed { exit: 75, reason } = refused.await else { panic!("taken") };
    assert!(reason.contains("cordons.json") && reason.contains("r1 is as it was"), "{reason}");
    let (verdict, told) = note(checker.ask(uncordon()).await);
    assert!(verdict == "healthy" && told.contains("a restart would bring the cordon back"), "{told}");
    assert_eq!(checker.agent("r2").await, "ready up 100%\n");
    let warns = |view: &Arc<View>| view.warnings.iter().any(|warning| warning.name == "record");
    let within = Duration::from_secs(10);
    drop(tokio::time::timeout(within, checker.views.latest.wait_for(warns)).await.unwrap().unwrap());
    let (_, _, body) = checker.http("GET /targets").await;
    assert!(body.contains("cordons.json cannot be written"), "{body}");
    std::fs::remove_dir(&obstacle).unwrap();
    checker.ask(cordon("third")).await;
    let warned = |view: &Arc<View>| !warns(view);
    drop(tokio::time::timeout(within, checker.views.latest.wait_for(warned)).await.unwrap().unwrap());
    checker.tasks.shutdown().await;
}

#[tokio::test]
async fn words_of_others_do_nothing_to_whoever_reads_them() {
    let mut checker = Checker::start().await;
    checker.observe("r1", Err("\x1b[2Jgone\nup 100%\n"), Verdict::Down).await;
    let view = checker.views.now();
    let told = &view.target("r1").unwrap().reasons[0].observed;
    assert!(told.contains("gone up 100%") && !told.contains(char::is_control), "{told:?}");
    let reason = "a\nb".to_owned();
    let refused = checker.ask(Question::Cordon { target: "r1".to_owned(), reason, drain: false }).await;
    assert!(matches!(refused, Answer::Failed { exit: 78, .. }), "{refused:?}");
    checker.tasks.shutdown().await;
}

#[tokio::test]
async fn a_group_without_addresses_for_clients_says_so() {
    let mut silent = plan();
    silent.targets.iter_mut().for_each(|target| target.serves = None);
    let mut checker = Checker::start_in(tempfile::tempdir().unwrap(), silent).await;
    let (status, _, body) = checker.http("GET /servers/rpc").await;
    assert!(status == 404 && body.contains("set `serves`"), "{status} {body}");
    checker.tasks.shutdown().await;
}

#[tokio::test]
async fn the_page_lives_on_events() {
    let mut checker = Checker::start().await;
    let (status, head, body) = checker.http("GET /").await;
    assert!(status == 200 && head.contains("content-security-policy: default-src 'none'"), "{head}");
    assert!(!body.contains("http://www.w3.org/1999") && !body.contains("src="), "nothing from elsewhere");
    let mut stream = TcpStream::connect(checker.http).await.unwrap();
    stream.write_all(b"GET /events HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    checker.observe("r1", Ok(100), Verdict::Healthy).await;
    let mut text = String::new();
    let seen = tokio::time::timeout(Duration::from_secs(10), async {
        let mut bytes = [0; 4_096];
        while !text.contains("\"verdict\":\"healthy\"") {
            let read = stream.read(&mut bytes).await.unwrap();
            text += &String::from_utf8_lossy(&bytes[..read]);
        }
    });
    seen.await.unwrap();
    assert!(text.contains("text/event-stream") && text.contains("data: {"), "{text}");
    checker.tasks.shutdown().await;
}
