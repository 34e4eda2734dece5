use super::Zone;
use crate::verdict::Verdict;
use crate::view::{GroupView, TargetView, View};
use hickory_proto::op::{Edns, Message, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use std::sync::Arc;
use std::time::Duration;

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

/// A view of two targets with these verdicts.
fn view(verdicts: [Verdict; 3]) -> View {
    let addresses = ["10.0.0.1:8545", "10.0.0.2:8546", "[fd00::3]:8547"];
    let target = |(number, (verdict, address)): (usize, (Verdict, &str))| {
        Arc::new(TargetView {
            name: format!("R{number}"),
            group: "rpc".to_owned(),
            source: None,
            verdict,
            since: Duration::ZERO,
            reasons: Vec::new(),
            cordon: None,
            head: None,
            finalized: None,
            lags: Vec::new(),
            latency: None,
            peers: None,
            observed: None,
            fresh_for: Duration::ZERO,
            weight_percent: 100,
            serves: address.parse().ok(),
        })
    };
    let targets: Vec<_> = (1..).zip(verdicts.into_iter().zip(addresses)).map(target).collect();
    let group = GroupView {
        name: "rpc".to_owned(),
        verdict: Verdict::Healthy,
        serving: 1,
        held: 0,
        targets: 3,
        floor: 0,
    };
    View { targets, groups: vec![group], ..View::default() }
}

/// Data of the answers to a question, behind the code.
fn ask(view: &View, text: &str, kind: RecordType) -> (ResponseCode, Vec<String>) {
    let zone = Zone { name: name("nodes.example."), ttl_s: 5 };
    let mut asked = Message::query();
    // An even number of records begins with the first.
    asked.metadata.id = 12;
    asked.add_query(Query::query(name(text), kind));
    let answer = zone.answer(&asked, view);
    // As it comes over the wire.
    let answer = Message::from_vec(&answer.to_vec().unwrap()).unwrap();
    assert_eq!(answer.metadata.id, asked.metadata.id);
    let empty = answer.answers.is_empty() && answer.metadata.authoritative;
    assert_eq!(answer.authorities.len(), usize::from(empty), "what is empty says for how long");
    (answer.metadata.response_code, answer.answers.iter().map(|record| record.data.to_string()).collect())
}

fn check(verdicts: [Verdict; 3], text: &str, kind: RecordType, expect: &[&str]) {
    let (code, told) = ask(&view(verdicts), text, kind);
    assert_eq!(
        (code, told),
        (ResponseCode::NoError, expect.iter().map(|one| (*one).to_owned()).collect()),
        "{text}"
    );
}

#[test]
fn clients_find_who_serves() {
    use Verdict::{Degraded, Down, Draining, Healthy};
    let all = [Healthy, Healthy, Healthy];
    check(all, "rpc.nodes.example.", RecordType::A, &["10.0.0.1", "10.0.0.2"]);
    check(all, "RPC.Nodes.example.", RecordType::AAAA, &["fd00::3"]);
    check([Down, Healthy, Draining], "rpc.nodes.example.", RecordType::A, &["10.0.0.2"]);
    // Degraded ones are the last resort.
    check([Degraded, Healthy, Down], "rpc.nodes.example.", RecordType::A, &["10.0.0.2"]);
    check([Degraded, Down, Down], "rpc.nodes.example.", RecordType::A, &["10.0.0.1"]);
    check([Down, Down, Down], "rpc.nodes.example.", RecordType::A, &[]);
    let expect = ["0 100 8545 r1.nodes.example.", "0 100 8547 r3.nodes.example."];
    check([Healthy, Down, Healthy], "_rpc._tcp.rpc.nodes.example.", RecordType::SRV, &expect);
    check(all, "_tcp.rpc.nodes.example.", RecordType::SRV, &[]);
    check([Degraded, Down, Healthy], "r1.nodes.example.", RecordType::A, &["10.0.0.1"]);
    check([Degraded, Down, Healthy], "r2.nodes.example.", RecordType::A, &[]);
}

#[test]
fn what_is_not_the_zones_is_refused() {
    let view = view([Verdict::Healthy; 3]);
    for (text, expect) in [
        ("other.nodes.example.", ResponseCode::NXDomain),
        ("a.rpc.nodes.example.", ResponseCode::NXDomain),
        ("nodes.example.", ResponseCode::NoError),
        ("rpc.example.", ResponseCode::Refused),
        ("example.", ResponseCode::Refused),
    ] {
        assert_eq!(ask(&view, text, RecordType::A), (expect, Vec::new()), "{text}");
    }
    let zone = Zone { name: name("nodes.example."), ttl_s: 5 };
    let mut update = Message::query();
    update.metadata.op_code = OpCode::Update;
    assert_eq!(zone.answer(&update, &view).metadata.response_code, ResponseCode::NotImp);
    assert_eq!(zone.answer(&Message::query(), &view).metadata.response_code, ResponseCode::FormErr);
}

#[test]
fn versions_of_edns_that_nobody_has_are_refused() {
    let zone = Zone { name: name("nodes.example."), ttl_s: 5 };
    for (version, expect) in [(0, (0, 2)), (1, (16, 0)), (255, (16, 0))] {
        let mut asked = Message::query();
        asked.add_query(Query::query(name("rpc.nodes.example."), RecordType::A));
        let mut edns = Edns::new();
        edns.set_version(version);
        asked.set_edns(edns);
        let answer = zone.answer(&asked, &view([Verdict::Healthy; 3])).to_vec().unwrap();
        let answer = Message::from_vec(&answer).unwrap();
        let code = u16::from(answer.metadata.response_code);
        assert_eq!((code, answer.answers.len()), expect, "{version}");
        let edns = answer.edns.expect("whoever speaks EDNS is answered in it");
        assert_eq!(edns.version(), 0, "the version that there is");
    }
}
