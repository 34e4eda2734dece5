//! `eth_…`, and `ethercattle_estimateGasList` beside `eth_estimateGas`.
//!
//! | file | idea |
//! |---|---|
//! | `chain`, `facts` | the chain, the head, the configuration of both |
//! | `fees`, `fee_history` | prices, and the history of fees |
//! | `state`, `proof` | accounts and slots, without and with proofs |
//! | `lookup` | blocks, transactions, receipts |
//! | `logs`, `filters` | logs once, and since the last request |
//! | `call`, `estimate`, `access_list`, `fill`, `simulate` | the methods that execute |
//! | `send` | transactions on their way to the nodes |
//! | `accounts` | methods of a node that holds keys |

pub(crate) mod access_list;
pub(crate) mod accounts;
pub(crate) mod call;
pub(crate) mod chain;
pub(crate) mod estimate;
pub(crate) mod facts;
pub(crate) mod fee_history;
pub(crate) mod fees;
pub(crate) mod fill;
pub(crate) mod filters;
pub(crate) mod logs;
pub(crate) mod lookup;
pub(crate) mod proof;
pub(crate) mod send;
pub(crate) mod simulate;
pub(crate) mod state;
