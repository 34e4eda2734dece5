//! The status page in a real browser, as wide as a phone.

use std::{fs, process::Command, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use maidenlane_tests::{
    daemon::Daemon,
    install,
    process::Process,
    product,
    scenario::{Carrier, Chain, Net, Plan},
    settings::Target,
    socket::Socket,
    wait,
};
use serde_json::{Value, json};
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(60);
/// As a phone has it, in CSS pixels.
const WIDTH: u64 = 390;

/// A browser with one page open.
struct Browser {
    page: Socket,
    _process: Process,
    // Last: the process writes there until it is gone.
    _dir: TempDir,
}

impl Browser {
    fn open(url: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new("chromium");
        command
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", dir.path().join("profile").display()))
            .arg(format!("--window-size={WIDTH},844"))
            .arg(url);
        let process = Process::start("chromium", &mut command, &dir.path().join("log")).unwrap();
        let port = dir.path().join("profile/DevToolsActivePort");
        let socket = wait::until("the browser's page", SOON, || {
            let text = fs::read_to_string(&port).map_err(|error| error.to_string())?;
            let list = format!("http://127.0.0.1:{}/json", text.lines().next().unwrap_or_default());
            let mut answer = ureq::get(&list).call().map_err(|error| error.to_string())?;
            let text = answer.body_mut().read_to_string().map_err(|error| error.to_string())?;
            let pages: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
            let page = pages.as_array().into_iter().flatten().find(|page| page["type"] == "page");
            page.and_then(|page| page["webSocketDebuggerUrl"].as_str()).map(str::to_owned).ok_or(text)
        });
        let page = Socket::connect(&socket.unwrap().replace("ws://", "http://")).unwrap().to_a_browser();
        let mut browser = Self { page, _process: process, _dir: dir };
        let size = json!({"width": WIDTH, "height": 844, "deviceScaleFactor": 2, "mobile": true});
        browser.page.respond("Emulation.setDeviceMetricsOverride", &size).unwrap();
        browser
    }

    /// Value of an expression in the page.
    fn value(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "returnByValue": true});
        let answer = self.page.respond("Runtime.evaluate", &params).unwrap();
        // None while the page loads.
        answer.pointer("/result/result/value").cloned().unwrap_or_default()
    }

    /// Waits until an expression holds in the page.
    fn shows(&mut self, expression: &str) {
        wait::until(expression, SOON, || {
            if self.value(expression) == json!(true) {
                return Ok(());
            }
            Err(self.value("document.body.innerText").to_string())
        })
        .unwrap();
    }
}

fn checker(net: &mut Net) -> (Daemon, String) {
    let gone = Target {
        name: "gone".to_owned(),
        kind: "Node",
        address: "http://127.0.0.1:1".to_owned(),
        admin: None,
        feed: None,
        serves: None,
    };
    let mut targets = vec![net.replica_target(0).unwrap(), gone];
    targets.extend(net.sources().unwrap());
    let mut checker = net.health("health-1", &targets).unwrap();
    checker.start().unwrap();
    checker.ready(SOON).unwrap();
    let url = format!("http://{}/", checker.address("http").unwrap());
    (checker, url)
}

#[test]
fn the_page_shows_what_happens_on_a_phone() {
    if let Err(missing) = install::ensure(&install::BROWSER) {
        println!("not run: {missing}");
        return;
    }
    let plan = Plan { chain: Chain::Developer, carrier: Carrier::Segment, replicas: 1 };
    let mut net = Net::started(&plan).unwrap();
    let (_checker, url) = checker(&mut net);
    let mut browser = Browser::open(&url);
    browser.shows("document.querySelectorAll('.card.healthy').length == 4");
    browser.shows("document.querySelector('#target-gone .why').innerText.startsWith('answer: ')");
    browser.shows("document.querySelectorAll('#incidents tr').length > 2");
    browser.shows("document.querySelector('#state').innerText == 'live'");
    // Nothing is wider than the phone but tables, which scroll in their own places.
    browser.shows(&format!("document.documentElement.scrollWidth <= {WIDTH}"));
    net.replica_daemon(0).unwrap().kill();
    browser.shows("document.querySelectorAll('.card.down').length == 2");
    let shot = browser.page.respond("Page.captureScreenshot", &json!({"format": "png"})).unwrap();
    let data = shot.pointer("/result/data").and_then(Value::as_str).unwrap();
    let picture = BASE64.decode(data).unwrap();
    assert!(picture.len() > 10_000, "a picture of {} bytes", picture.len());
    let file = product::target().join("health-page.png");
    fs::write(&file, picture).unwrap();
    println!("the page, as wide as a phone: {}", file.display());
}
