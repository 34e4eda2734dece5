//! Error codes: every one that leaves this system, in one place. geth's where geth has one.

/// The body is not JSON.
pub const PARSE: i32 = -32700;
/// Valid JSON, but not a request.
pub const INVALID_REQUEST: i32 = -32600;
/// No such method here.
pub const METHOD_NOT_FOUND: i32 = -32601;
/// Missing, superfluous or malformed parameters.
pub const INVALID_PARAMS: i32 = -32602;
/// Internal fault of this replica.
pub const INTERNAL: i32 = -32603;
/// geth's code for every error without one of its own.
pub const SERVER: i32 = -32000;
/// Timeout: the call took longer than allowed (geth: "request timed out").
pub const TIMEOUT: i32 = -32002;
/// Answer that would exceed the size limit.
pub const RESPONSE_TOO_LARGE: i32 = -32003;
/// A resource limit (EIP-1474): here, the pool for expensive calls is full. Comes with `Retry-After`.
pub const LIMIT_EXCEEDED: i32 = -32005;
/// The call reverted; data holds the returned bytes.
pub const REVERTED: i32 = 3;
/// `eth_sendRawTransactionSync`: no block held the transaction in time; data is its hash.
pub const TX_SYNC_TIMEOUT: i32 = 4;
/// Block below the oldest that this node keeps (EIP-4444).
pub const PRUNED: i32 = 4444;
/// A simulated call's nonce is below its sender's.
pub const NONCE_TOO_LOW: i32 = -38010;
/// A simulated call's nonce is above its sender's.
pub const NONCE_TOO_HIGH: i32 = -38011;
/// A simulated call pays less than its block's base fee.
pub const BASE_FEE_TOO_LOW: i32 = -38012;
/// A simulated call's gas does not cover what it costs before its first instruction.
pub const INTRINSIC_GAS: i32 = -38013;
/// A simulated call's sender cannot pay.
pub const INSUFFICIENT_FUNDS: i32 = -38014;
/// A simulated block has less gas left than a call asks for.
pub const BLOCK_GAS_LIMIT_REACHED: i32 = -38015;
/// Simulated blocks are not in order by number.
pub const BLOCK_NUMBER_INVALID: i32 = -38020;
/// Simulated blocks are not in order by time.
pub const BLOCK_TIMESTAMP_INVALID: i32 = -38021;
/// A simulated call's init code is too large.
pub const INIT_CODE_TOO_LARGE: i32 = -38025;
/// More items in one request than allowed (geth's `errCodeClientLimitExceeded`).
pub const CLIENT_LIMIT: i32 = -38026;
/// Stale replica (our own code): answers nothing about state. HTTP status 503.
pub const STALE: i32 = -32090;
/// Minimum block (our own code): `X-Maidenlane-Min-Block` was not reached in time, is too far ahead, or too many wait.
/// HTTP status 503.
pub const MIN_BLOCK: i32 = -32091;
/// Minimum block on another branch (our own code): the hash in `X-Maidenlane-Min-Block` is not canonical here. HTTP
/// status 409.
pub const NOT_CANONICAL: i32 = -32092;
/// Unknown fork (our own code): a fork is active that this build does not execute; plain reads go on.
pub const UNKNOWN_FORK: i32 = -32093;

/// Transaction not taken (our own code): it was not stored, or nobody delivers those that are; send it again. HTTP
/// status 503.
pub const NOT_TAKEN: i32 = -32094;

/// Filters away (our own code): the log does not say where filters stand; ask again. HTTP status 503.
pub const FILTERS_AWAY: i32 = -32095;

/// Pool away (our own code): what is in the master's pool is not known; ask again. HTTP status 503.
pub const POOL_AWAY: i32 = -32096;

/// HTTP status of a request that fails as a whole with this code. geth answers 200 to every JSON-RPC error; only codes
/// on which a load balancer should try another replica differ.
#[must_use]
pub const fn http_status(code: i32) -> u16 {
    match code {
        STALE | MIN_BLOCK | LIMIT_EXCEEDED | NOT_TAKEN | FILTERS_AWAY | POOL_AWAY => 503,
        NOT_CANONICAL => 409,
        _ => 200,
    }
}
