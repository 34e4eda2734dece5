-- maidenlane-tap. Without a default: spool, ipc, chain, feed, stateDir.
let common = ./common.dhall

let Begin = ./types/Begin.dhall

in  { Type = ./types/Tap.dhall
    , Begin
    , default =
      { begin = Begin.Genesis
      , proofs = False
      , pool = False
      , auditKeys = 4
      , heartbeat_ms = 250
      , keepDepth = 90000
      , admin = common.Admin::{ listen = "127.0.0.1:9461" }
      , logging = common.Logging::{=}
      }
    }
