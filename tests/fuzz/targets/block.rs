//! Any bytes as block, receipts, account and chain config.
#![no_main]

use libfuzzer_sys::fuzz_target;
use maidenlane_chain::{Account, Forks, Receipts, block};

fuzz_target!(|bytes: &[u8]| {
    if let Ok((header, body)) = block::split(bytes) {
        assert_eq!(
            block::split(&block::join(&header, &body).expect("it was a body")),
            Ok((header.clone(), body.clone()))
        );
        if let (Ok(decoded), Ok(body)) = (block::decode_header(&header), block::Body::parse(&body)) {
            let _ = body.check(&decoded);
            let _ = body.transaction_hashes();
        }
    }
    let _ = Receipts::decode(bytes).map(|receipts| receipts.gas_used());
    if let Ok(account) = Account::decode_slim(bytes) {
        assert_eq!(Account::decode_slim(&account.encode_slim()), Ok(account));
    }
    if let Ok(forks) =
        std::str::from_utf8(bytes).map_err(|_| ()).and_then(|text| Forks::parse(text).map_err(|_| ()))
    {
        let _ = (forks.blobs_at(1), forks.unknown_at(1, 1), forks.unknown_after(1));
    }
});
