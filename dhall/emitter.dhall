-- maidenlane-emitter. Without a default: chain, feed, upstreams, stateDir.
let common = ./common.dhall

let Credential = ./types/Credential.dhall

let Route = ./types/Route.dhall

in  { Type = ./types/Emitter.dhall
    , Credential
    , Route =
      { Type = Route
      , default =
        { senders = [] : List Text
        , tags = [] : List Text
        , upstreams = [] : List Text
        , redundancy = None Natural
        }
      }
    , Upstream =
      { Type = ./types/Upstream.dhall
      , default =
        { credential = None Credential
        , ca = None Text
        , timeout_ms = 5000
        , queueMax = 1024
        , lanes = 8
        , perSecond = None Natural
        }
      }
    , default =
      { group = "maidenlane-emitter"
      , routes = [] : List Route
      , lifetime_s = 10800
      , hold_s = 60
      , againBlocks = 10
      , again_s = 300
      , retention_h = 168
      , pendingMax = 100000
      , pendingMax_MB = 256
      , maxSilence_ms = 15000
      , admin = common.Admin::{ listen = "127.0.0.1:9463" }
      , logging = common.Logging::{=}
      }
    }
