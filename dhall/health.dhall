-- maidenlane-health. Without a default: chain, groups, stateDir.
let common = ./common.dhall

let Credential = ./types/Credential.dhall

let Limits =
      { Type = ./types/Limits.dhall
      , default =
        { lagBlocks = None Natural
        , headAge_ms = None Natural
        , mayHalt = False
        , forkAfterBlocks = None Natural
        , latency_ms = 250
        , errors_percent = 20
        , peersMin = 1
        , clock_ms = 5000
        , maxSilence_ms = 15000
        , diskFree_percent = 10
        , diskLeft_h = 24
        , certificateLeft_d = 14
        }
      }

in  { Type = ./types/Health.dhall
    , Dns =
      { Type = ./types/Dns.dhall
      , default =
        { listen = "127.0.0.1:9472", behindProxy = False, ttl_s = 5 }
      }
    , Probe = ./types/Probe.dhall
    , Limits
    , Target =
      { Type = ./types/Target.dhall
      , default =
        { admin = None Text
        , feed = None Text
        , trusted = False
        , serves = None Text
        , credential = None Credential
        , ca = None Text
        }
      }
    , Group =
      { Type = ./types/Group.dhall
      , default =
        { interval_ms = 1000
        , timeout_ms = 500
        , fall = 2
        , rise = 3
        , dwell_ms = 5000
        , floor = 0
        , degraded_percent = 10
        , limits = Limits.default
        }
      }
    , default =
      { blockTime_ms = 12000
      , feed = None ./types/Feed.dhall
      , accounts = [] : List Text
      , http = common.Admin::{ listen = "127.0.0.1:9470" }
      , agent = common.Admin::{ listen = "127.0.0.1:9471" }
      , dns = None ./types/Dns.dhall
      , allow = [] : List Text
      , admin = common.Admin::{ listen = "127.0.0.1:9465" }
      , logging = common.Logging::{=}
      }
    }
