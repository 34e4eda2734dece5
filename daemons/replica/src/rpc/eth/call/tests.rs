//! Small programs run on the fixture's head. Each is put at an address by a state override.

use crate::rpc::tests::fake;
use crate::rpc::tests::still::Still;
use crate::rpc::{Rpc, Settings};
use maidenlane_jsonrpc::{Api as _, Error, codes};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const HERE: &str = "0x1234000000000000000000000000000000001234";
/// Program that copies the input to memory and reverts with it.
const REVERT_INPUT: &str = "0x366000600037366000fd";
/// Program that jumps to its own start until the gas is gone.
const LOOP: &str = "0x5b600056";

/// Program that returns the word that `ops` leave on the stack.
fn word(ops: &str) -> String {
    format!("0x{ops}60005260206000f3")
}

/// Calls `code` with more fields, at a block, under block overrides.
fn run_with(
    settings: Settings,
    code: &str,
    fields: Value,
    block: &str,
    over: Value,
) -> Result<String, Error> {
    let chain = fake::chain().expect("checked by the caller");
    let rpc = Rpc::new(Arc::new(Still::new(chain)), settings).expect("threads");
    let mut call = json!({"to": HERE});
    for (key, value) in fields.as_object().into_iter().flatten() {
        call[key] = value.clone();
    }
    let params = json!([call, block, {HERE: {"code": code}}, over]).to_string();
    let params: Box<serde_json::value::RawValue> = serde_json::from_str(&params).expect("JSON");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let pin = Arc::new(rpc.pin(None).await);
        let json = rpc.call(&pin, "eth_call", Some(&params)).await?;
        Ok(json.as_str().trim_matches('"').to_owned())
    })
}

#[track_caller]
fn check(code: &str, fields: Value, block: &str, expect: Result<&str, (i32, &str)>) {
    if fake::fixtures().is_none() {
        return;
    }
    match (run_with(Settings::default(), code, fields, block, Value::Null), expect) {
        (Ok(got), Ok(expect)) => assert_eq!(got, expect),
        (Err(got), Err((code, text))) => {
            assert_eq!(got.code, code, "{got}");
            assert!(got.message.contains(text), "{got}");
        }
        (got, expect) => panic!("{got:?}, not {expect:?}"),
    }
}

fn number(n: u128) -> String {
    format!("{:#066x}", n)
}

#[test]
fn sees_the_block_it_runs_in() {
    const NUMBER: &str = "43";
    check(&word(NUMBER), json!({}), "latest", Ok(&number(54)));
    check(&word(NUMBER), json!({}), "0xa", Ok(&number(10)));
    check(&word(NUMBER), json!({}), "pending", Ok(&number(55)));
    check(&word("42"), json!({}), "0x36", Ok(&number(540)));
    check(&word("46"), json!({}), "latest", Ok(&number(3_503_995_874_084_926)));
    // CHAINID is not there before Istanbul.
    check(&word("46"), json!({}), "0x11", Err((codes::SERVER, "invalid opcode")));
    check(&word("5a"), json!({"gas": "0x10000"}), "latest", Ok(&number(0x10000 - 21_002)));
    check(&word("5a"), json!({"gas": "0xffffffffffff"}), "latest", Ok(&number(50_000_000 - 21_002)));
}

#[test]
fn sees_ancestors_by_hash() {
    let Some(chain) = fake::chain() else { return };
    let hash = |number: u64| maidenlane_state::StateView::hash_of(&chain, number).expect("in memory");
    check(&word("603540"), json!({}), "latest", Ok(&hash(53).expect("there").to_string()));
    check(&word("603640"), json!({}), "latest", Ok(&number(0)));
    check(&word("603640"), json!({}), "pending", Ok(&hash(54).expect("there").to_string()));
    check(&word("600540"), json!({}), "0xa", Ok(&hash(5).expect("there").to_string()));
}

#[test]
fn fees_follow_geth() {
    const GASPRICE: &str = "3a";
    const BASEFEE: &str = "48";
    let rich = "0x83c7e323d189f18725ac510004fdc2941f8c4a78";
    let from = |more: Value| {
        let mut fields = json!({"from": rich, "gas": "0x10000"});
        for (key, value) in more.as_object().into_iter().flatten() {
            fields[key] = value.clone();
        }
        fields
    };
    check(&word(BASEFEE), json!({}), "latest", Ok(&number(0)));
    check(&word(GASPRICE), json!({}), "latest", Ok(&number(0)));
    check(&word(GASPRICE), from(json!({"gasPrice": "0x3b9aca00"})), "latest", Ok(&number(1_000_000_000)));
    let low = json!({"gasPrice": "0x1"});
    check(&word(GASPRICE), from(low), "latest", Err((codes::SERVER, "less than block base fee")));
    let tip = json!({"maxFeePerGas": "0x1", "maxPriorityFeePerGas": "0x2"});
    check(&word(GASPRICE), from(tip), "latest", Err((codes::SERVER, "max priority fee per gas higher")));
    let both = json!({"gasPrice": "0x1", "maxFeePerGas": "0x1"});
    check(&word(GASPRICE), from(both), "latest", Err((codes::SERVER, "both gasPrice and")));
    let poor = json!({"value": "0x1", "from": "0x9999999999999999999999999999999999999999"});
    check(&word(GASPRICE), poor, "latest", Err((codes::SERVER, "insufficient funds")));
    check(&word(GASPRICE), json!({"gas": "0x1"}), "latest", Err((codes::SERVER, "intrinsic gas too low")));
    check(
        &word(GASPRICE),
        json!({"chainId": "0x1"}),
        "latest",
        Err((codes::SERVER, "chainId does not match")),
    );
    // A contract may be the sender of a call.
    check(&word("33"), json!({"from": HERE}), "latest", Ok(&format!("0x{}{}", "0".repeat(24), &HERE[2..])));
}

#[test]
fn carries_blobs_and_authorizations() {
    let hash = format!("0x01{}", "ab".repeat(31));
    let blobs = json!({"blobVersionedHashes": [hash]});
    check(&word("600049"), blobs, "latest", Ok(&hash));
    check(&word("4a"), json!({"blobVersionedHashes": [hash]}), "latest", Ok(&number(0)));
    check(&word("4a"), json!({"maxFeePerBlobGas": "0x0"}), "latest", Ok(&number(0)));
    check(&word("4a"), json!({}), "latest", Ok(&number(1)));
    // An authorization that nobody signed is skipped, and the call goes on.
    let zero = format!("0x{}", "0".repeat(40));
    let unsigned =
        json!({"chainId": "0x0", "address": zero, "nonce": "0x0", "yParity": "0x0", "r": "0x1", "s": "0x1"});
    check(&word("43"), json!({"authorizationList": [unsigned]}), "latest", Ok(&number(54)));
    check(&word("43"), json!({"authorizationList": []}), "latest", Err((codes::SERVER, "empty auth list")));
    check(
        &word("43"),
        json!({"blobVersionedHashes": []}),
        "0x5",
        Err((codes::SERVER, "missing blob hashes")),
    );
    check(&word("43"), json!({"blobVersionedHashes": [hash]}), "0x5", Ok(&number(5)));
    let many = json!({"blobVersionedHashes": vec![&hash; 7]});
    check(&word("43"), many.clone(), "latest", Err((codes::SERVER, "")));
    check(&word("43"), many, "0x2b", Ok(&number(43)));
    let wrong = json!({"blobVersionedHashes": [format!("0x02{}", "ab".repeat(31))]});
    check(&word("43"), wrong, "latest", Err((codes::SERVER, "hash version")));
}

#[test]
fn reverts_tell_their_reason() {
    let text = "08c379a0\
        0000000000000000000000000000000000000000000000000000000000000020\
        0000000000000000000000000000000000000000000000000000000000000004\
        6e6f706500000000000000000000000000000000000000000000000000000000";
    let reverted = |text| Err((codes::REVERTED, text));
    check(
        REVERT_INPUT,
        json!({"input": format!("0x{text}")}),
        "latest",
        reverted("execution reverted: nope"),
    );
    let panic = format!("0x4e487b71{}11", "00".repeat(31));
    check(REVERT_INPUT, json!({"data": panic}), "latest", reverted("arithmetic underflow or overflow"));
    check(REVERT_INPUT, json!({}), "latest", reverted("execution reverted"));
    let hostile = format!("0x08c379a0{}", "ff".repeat(64));
    check(REVERT_INPUT, json!({"input": hostile}), "latest", reverted("execution reverted"));
    if fake::fixtures().is_some() {
        let input = json!({"input": "0xabcd"});
        let error =
            run_with(Settings::default(), REVERT_INPUT, input, "latest", Value::Null).expect_err("a revert");
        assert_eq!(error.data.map(|data| data.as_str().to_owned()), Some("\"0xabcd\"".into()));
    }
}

#[test]
fn halts_are_errors() {
    check("0xfe", json!({}), "latest", Err((codes::SERVER, "invalid opcode")));
    check("0x600056", json!({}), "latest", Err((codes::SERVER, "invalid jump destination")));
    check("0x01", json!({}), "latest", Err((codes::SERVER, "stack underflow")));
    check(LOOP, json!({"gas": "0x30000"}), "latest", Err((codes::SERVER, "out of gas")));
}

/// Before Prague the bytes of a delegation are code.
#[test]
fn an_override_is_a_delegation_from_prague_on() {
    let delegated = format!("0xef0100{}04", "00".repeat(19));
    check(&delegated, json!({}), "latest", Ok("0x"));
    check(&delegated, json!({}), "0x1", Err((codes::SERVER, "invalid opcode")));
}

#[test]
fn time_is_limited() {
    if fake::fixtures().is_none() {
        return;
    }
    let settings = || Settings { call_timeout: Duration::from_millis(2), ..Settings::default() };
    let error = run_with(settings(), LOOP, json!({}), "latest", Value::Null).expect_err("out of time");
    assert!(error.message.contains("execution aborted (timeout"), "{error}");
    // A caller cannot catch it: it calls the loop and would return normally after a mere failure.
    let caller = format!("0x6000600060006000600073{}5af160005260206000f3", "43".repeat(20));
    let looped = format!("0x{}", "43".repeat(20));
    let chain = fake::chain().expect("checked");
    let rpc = Rpc::new(Arc::new(Still::new(chain)), settings()).expect("threads");
    let over = json!({HERE: {"code": caller}, looped: {"code": LOOP}});
    let params: Box<serde_json::value::RawValue> =
        serde_json::from_str(&json!([{"to": HERE}, "latest", over]).to_string()).expect("JSON");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let answer = runtime.block_on(async {
        let pin = Arc::new(rpc.pin(None).await);
        rpc.call(&pin, "eth_call", Some(&params)).await
    });
    assert!(answer.expect_err("out of time").message.contains("execution aborted"), "caught");
}

#[test]
fn long_calls_move_to_the_pool_and_end_there() {
    // 60,000 rounds of a counting loop: far over the inline budget, far below the timeout.
    let count = "0x61ea605b600190038060035760005260206000f3";
    let settings = Settings { call_inline: Duration::ZERO, ..Settings::default() };
    if fake::fixtures().is_some() {
        let got = run_with(settings, count, json!({}), "latest", Value::Null);
        assert_eq!(got, Ok(number(0)));
    }
    check(count, json!({}), "latest", Ok(&number(0)));
    // A heavy precompile goes there at once: modexp of empty input gives nothing.
    check("0x", json!({"to": "0x0000000000000000000000000000000000000005"}), "latest", Ok("0x"));
}

#[test]
fn overrides() {
    if fake::fixtures().is_none() {
        return;
    }
    let run = |code: &str, over: Value| run_with(Settings::default(), code, json!({}), "latest", over);
    assert_eq!(run(&word("43"), json!({"number": "0x64"})), Ok(number(100)));
    assert_eq!(run(&word("42"), json!({"time": "0x3e8"})), Ok(number(1_000)));
    assert_eq!(run(&word("45"), json!({"gasLimit": "0x7"})), Ok(number(7)));
    assert_eq!(run(&word("44"), json!({"prevRandao": number(9)})), Ok(number(9)));
    assert_eq!(run(&word("44"), json!({"difficulty": "0x5"})), Ok(number(0)), "the random value stays");
    assert_eq!(run(&word("603640"), json!({"number": "0x64"})), Ok(number(0)), "no hash from the future");
    let withdrawals = run(&word("43"), json!({"withdrawals": []})).expect_err("not here");
    assert!(withdrawals.message.contains("withdrawals"), "{withdrawals}");
    let state = |accounts: Value| {
        let chain = fake::chain().expect("checked");
        let rpc = Rpc::new(Arc::new(Still::new(chain)), Settings::default()).expect("threads");
        let params = json!([{"to": HERE}, "latest", accounts]).to_string();
        let params: Box<serde_json::value::RawValue> = serde_json::from_str(&params).expect("JSON");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let pin = Arc::new(rpc.pin(None).await);
            rpc.call(&pin, "eth_call", Some(&params))
                .await
                .map(|json| json.as_str().trim_matches('"').to_owned())
        })
    };
    let sload = word("600154");
    let slot = json!({number(1): number(77)});
    assert_eq!(state(json!({HERE: {"code": sload, "stateDiff": slot}})), Ok(number(77)));
    assert_eq!(state(json!({HERE: {"code": sload, "state": slot}})), Ok(number(77)));
    assert_eq!(state(json!({HERE: {"code": sload, "state": {}}})), Ok(number(0)));
    assert_eq!(state(json!({HERE: {"code": word("47"), "balance": "0x2a"}})), Ok(number(42)));
    assert!(state(json!({HERE: {"state": {}, "stateDiff": {}}})).is_err());
}

/// The answer to a call of `to` with these state overrides.
fn overridden(to: &str, input: &str, state: Value) -> Result<String, i32> {
    let chain = fake::chain().expect("checked by the caller");
    let rpc = Rpc::new(Arc::new(Still::new(chain)), Settings::default()).expect("threads");
    let got = crate::rpc::tests::ask(&rpc, "eth_call", json!([{"to": to, "input": input}, "latest", state]));
    match got["result"].as_str() {
        Some(result) => Ok(result.to_owned()),
        None => Err(got["error"]["code"].to_string().parse().expect("a code")),
    }
}

#[test]
fn precompiles_move() {
    const IDENTITY: &str = "0x0000000000000000000000000000000000000004";
    const ECRECOVER: &str = "0x0000000000000000000000000000000000000001";
    if fake::fixtures().is_none() {
        return;
    }
    let moved = || json!({IDENTITY: {"movePrecompileToAddress": HERE}});
    assert_eq!(overridden(HERE, "0x1234", moved()), Ok("0x1234".into()));
    assert_eq!(overridden(IDENTITY, "0x1234", moved()), Ok("0x".into()));
    assert_eq!(overridden(IDENTITY, "0x1234", json!({})), Ok("0x1234".into()));
    // Any override takes the precompile away, and then the code there runs.
    assert_eq!(overridden(IDENTITY, "0x1234", json!({IDENTITY: {"balance": "0x1"}})), Ok("0x".into()));
    let code = json!({IDENTITY: {"code": "0x60005260206000f3"}, ECRECOVER: {"code": word("602a")}});
    assert_eq!(overridden(ECRECOVER, "0x", code), Ok(number(42)));
    let onto = json!({IDENTITY: {"movePrecompileToAddress": ECRECOVER}});
    assert_eq!(overridden(ECRECOVER, "0x1234", onto), Ok("0x1234".into()));
    let refused = [
        json!({HERE: {"movePrecompileToAddress": IDENTITY}}),
        json!({IDENTITY: {"movePrecompileToAddress": IDENTITY}}),
        json!({IDENTITY: {"movePrecompileToAddress": HERE}, HERE: {"balance": "0x1"}}),
    ];
    for state in refused {
        assert_eq!(overridden(HERE, "0x", state.clone()), Err(codes::SERVER), "{state}");
    }
}

#[test]
fn creates_give_the_code() {
    // Init code that returns one byte 0xaa as the contract's code, after storing it in memory.
    let init = "0x60aa60005360016000f3";
    check("0x", json!({"to": null, "input": init}), "latest", Ok("0xaa"));
}

#[test]
fn unknown_forks_stop_calls_only() {
    let Some(chain) = fake::chain() else { return };
    let rules = r#"{"chainId":1,"londonBlock":0,"shanghaiTime":0,"amsterdamTime":500,"blobSchedule":{}}"#;
    let rules = Arc::new(maidenlane_chain::Rules::parse(rules).expect("a config"));
    let chain = chain.with_head(|head| head.rules = rules);
    let rpc = Rpc::new(Arc::new(Still::new(chain)), Settings::default()).expect("threads");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let ask = |method: &str, params: Value| {
        let params: Box<serde_json::value::RawValue> =
            serde_json::from_str(&params.to_string()).expect("JSON");
        runtime.block_on(async {
            let pin = Arc::new(rpc.pin(None).await);
            rpc.call(&pin, method, Some(&params)).await.map_err(|error| error.code)
        })
    };
    assert_eq!(ask("eth_call", json!([{"to": HERE}])), Err(codes::UNKNOWN_FORK));
    assert!(ask("eth_call", json!([{"to": HERE}, "0x28"])).is_ok(), "before its activation");
    assert!(ask("eth_getBalance", json!([HERE])).is_ok());
}

#[test]
fn blocks_may_have_larger_numbers_than_any_block() {
    let run = |code: &str, fields: Value, over: Value| {
        run_with(Settings::default(), code, fields, "latest", over).map_err(|error| error.to_string())
    };
    if fake::fixtures().is_none() {
        return;
    }
    let wide = "0x1ffffffffffffffff";
    let most = format!("0x{}", "f".repeat(64));
    assert_eq!(
        run(&word("43"), json!({}), json!({"number": wide})),
        Ok(format!("0x{:064x}", (1_u128 << 65) - 1))
    );
    assert_eq!(run(&word("43"), json!({}), json!({"number": most})), Ok(most.clone()));
    assert_eq!(run(&word("600040"), json!({}), json!({"number": most})), Ok(number(0)));
    // A free call sees no base fee; one that pays must pay that.
    assert_eq!(run(&word("48"), json!({}), json!({"baseFeePerGas": most})), Ok(number(0)));
    let paid = run(&word("48"), json!({"maxFeePerGas": "0x1"}), json!({"baseFeePerGas": wide}));
    assert!(paid.is_err_and(|text| text.contains("max fee per gas less than block base fee")));
    assert_eq!(run(&word("44"), json!({}), json!({"difficulty": most})).map(|_| ()), Ok(()));
}

#[test]
fn balances_that_overflow_begin_again_at_zero() {
    if fake::fixtures().is_none() {
        return;
    }
    let (rich, most) = ("0x00000000000000000000000000000000c0ffee02", format!("0x{}", "f".repeat(64)));
    let rpc = crate::rpc::tests::rpc(Arc::new(Still::new(fake::chain().expect("fixtures"))));
    let run = |code: String, value: &str| {
        let over = json!({HERE: {"code": code, "balance": most}, rich: {"balance": most}});
        let call = json!({"from": rich, "to": HERE, "value": value});
        crate::rpc::tests::ask(&rpc, "eth_call", json!([call, "latest", over]))
    };
    // SELFBALANCE, after three wei came.
    assert_eq!(run(word("47"), "0x3")["result"], number(2));
    assert_eq!(run(word("47"), "0x0")["result"], most);
    // The two that are left can be sent back.
    let back = format!("6000600060006000600273{0}5af15073{0}31", &rich[2..]);
    assert_eq!(run(word(&back), "0x3")["result"], format!("0x{}e", "f".repeat(63)));
}
