//! Tests with signatures that other programs made.

use super::{Unsigned, verify};
use alloy::primitives::U256;
use maidenlane_chain::{Address, keccak256};

/// Body, address and signature, as MetaMask, `cast`, ethers and alloy made them. Their tests are public: flashbots/go-utils,
/// `signature/signature_test.go`, and alloy-rs/alloy, `crates/provider/src/ext/mev/with_auth.rs`.
const SIGNED: [(&str, &str, &str); 4] = [
    (
        "Hello",
        "0x4bE0Cd2553356b4ABb8b6a1882325dAbC8d3013D",
        "0xbf36915334f8fa93894cd54d491c31a89dbf917e9a4402b2779b73d21ecf46e36ff07db2bef6d10e92c99a02c1c5ea700b0b674dfa5d3ce9220822a7ebcc17101b",
    ),
    (
        "Hello",
        "0x2485Aaa7C5453e04658378358f5E028150Dc7606",
        "0xff2aa92eb8d8c2ca04f1755a4ddbff4bda6a5c9cefc8b706d5d8a21d3aa6fe7a20d3ec062fb5a4c1656fd2c14a8b33ca378b830d9b6168589bfee658e83745cc1b",
    ),
    (
        "Hello",
        "0x96216849c49358B10257cb55b28eA603c874b05E",
        "0x1446053488f02d460c012c84c4091cd5054d98c6cfca01b65f6c1a72773e80e60b8a4931aeee7ed18ce3adb45b2107e8c59e25556c1f871a8334e30e5bddbed21c",
    ),
    (
        "sign this message",
        "0xd5F5175D014F28c85F7D67A111C2c9335D7CD771",
        "0x983dc7c520db0d287faff3cd0aef81d5a7f4ffd3473440d3f705da16299724271f660b6fe367f455b205bc014eff3e20defd011f92000f94d39365ca0bc7867200",
    ),
];

#[test]
fn wallets_sign_what_is_verified() {
    for (body, address, signature) in SIGNED {
        let signer: Address = address.parse().unwrap();
        for address in
            [address.to_owned(), address.to_lowercase(), format!("0x{}", address[2..].to_uppercase())]
        {
            let header = format!("{address}:{signature}");
            assert_eq!(verify(Some(&header), body.as_bytes()), Ok((signer, keccak256(body))), "{header}");
        }
        let flipped = |v: &str| match v {
            "00" => "1b",
            "1b" => "00",
            "1c" => "01",
            other => panic!("no wallet signs with {other}"),
        };
        let (rest, v) = signature.split_at(signature.len() - 2);
        let header = format!("{address}:{rest}{}", flipped(v));
        assert_eq!(verify(Some(&header), body.as_bytes()), Ok((signer, keccak256(body))), "{header}");
        for other in ["", "Hello ", "hello", "Hello..."] {
            let header = format!("{address}:{signature}");
            assert_eq!(verify(Some(&header), other.as_bytes()), Err(Unsigned::Mismatch), "{other}");
        }
    }
}

#[track_caller]
fn check(header: &str, expect: Unsigned) {
    assert_eq!(verify(Some(header), b"Hello"), Err(expect), "{header}");
}

#[test]
fn every_fault_has_its_own_error() {
    let [_, (_, address, signature), ..] = SIGNED;
    assert_eq!(verify(None, b"Hello"), Err(Unsigned::Missing));
    check("", Unsigned::Form);
    check("invalid", Unsigned::Form);
    check(&format!("{}:{signature}", &address[2..]), Unsigned::Address);
    check(&format!("{}:{signature}", &address[..41]), Unsigned::Address);
    check(&format!("0x{}zz:{signature}", &address[2..40]), Unsigned::Address);
    check(&format!("{address}:{}", &signature[2..]), Unsigned::Unmarked);
    check(&format!("{address}:"), Unsigned::Hex);
    check(&format!("{address}:0x{}zz", &signature[2..130]), Unsigned::Hex);
    check(&format!("{address}:{}", &signature[..130]), Unsigned::Length { bytes: 64 });
    check(&format!("{address}:{signature}deadbeef"), Unsigned::Length { bytes: 69 });
    check(&format!("{address}:{}1d", &signature[..130]), Unsigned::Parity { v: 29 });
    check(&format!("{}:{signature}", SIGNED[0].1), Unsigned::Mismatch);
    check(&format!("{address}:0x{}1b", "00".repeat(64)), Unsigned::Mismatch);
    check(&format!("{address}:0x{}1b", "ff".repeat(64)), Unsigned::HighS);
}

/// Of every signature anybody can make a second one, which is as valid to the curve: the window of repeats must not see it.
#[test]
fn the_other_form_of_a_signature_is_refused() {
    let [_, (_, address, signature), ..] = SIGNED;
    let order: U256 = "0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141".parse().unwrap();
    let s: U256 = format!("0x{}", &signature[66..130]).parse().unwrap();
    let other = format!("{address}:{}{:064x}1c", &signature[..66], order - s);
    check(&other, Unsigned::HighS);
}
