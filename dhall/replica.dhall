-- maidenlane-replica. Without a default: chain, feed, transactions, filters, stateDir.
let common = ./common.dhall

let History = ./types/History.dhall

let Backfill = ./types/Backfill.dhall

let Transactions = ./types/Transactions.dhall

let Answer = ./types/Answer.dhall

let Filters = ./types/Filters.dhall

let Outcomes = ./types/Outcomes.dhall

let Pool = ./types/Pool.dhall

let Repository = ./types/Repository.dhall

let Snapshots =
      { Type = ./types/Snapshots.dhall
      , default =
        { sources = [] : List Repository
        , target = None Repository
        , maxRate_MB_per_s = None Natural
        , dueBelow_percent = 50
        }
      }

let Rpc =
      { Type = ./types/Rpc.dhall
      , default =
        { listeners = [ common.Listener::{=} ]
        , bodyMax_bytes = 5242880
        , batchMax = 1000
        , responseMax_bytes = 25000000
        , connectionsMax = 4096
        , readTimeout_ms = 60000
        , answerTimeout_ms = 60000
        , writeTimeout_ms = 10000
        , ping_ms = 30000
        , messagesMax = 16
        , subscriptionsMax = 1000
        , drain_ms = 5000
        , callGasCap = 50000000
        , callTimeout_ms = 5000
        , callInline_us = 100
        , methodTimeouts = [] : List ./types/MethodTimeout.dhall
        , poolThreads = None Natural
        , poolQueue = 256
        , logsMax = 100000
        , codeCache_MB = 256
        , blockCache_MB = 256
        }
      }

in  { Type = ./types/Replica.dhall
    , Rpc
    , MethodTimeout = { Type = ./types/MethodTimeout.dhall, default = {=} }
    , History
    , Backfill = { Type = Backfill, default = { from = 0, rate_kBps = 10000 } }
    , BlockSource = ./types/BlockSource.dhall
    , Transactions
    , Filters
    , Pool = { Type = Pool, default.max_MB = 256 }
    , Outcomes = { Type = Outcomes, default.keep_h = 24 }
    , Snapshots
    , Repository
    , S3 =
      { Type = ./types/S3.dhall
      , default = { region = "us-east-1", prefix = "", ca = None Text }
      }
    , Accept =
      { Type = ./types/Accept.dhall
      , default =
        { group = "maidenlane-emitter"
        , answer = Answer.Stored
        , waitingMax = 64
        , waitingMax_MB = 16
        }
      }
    , Answer
    , Verdict = { Type = ./types/Verdict.dhall, default.wait_ms = 300 }
    , default =
      { rpc = Rpc::{=}
      , history = History.All
      , proofs = None History
      , outcomes = None Outcomes
      , pool = None Pool
      , backfill = None Backfill
      , snapshots = Snapshots::{=}
      , undoBlocks = 90000
      , maxLagBlocks = 2
      , maxSilence_ms = 15000
      , maxHeadAge_s = Some 120
      , storeCache_MB = 512
      , admin = common.Admin::{ listen = "127.0.0.1:9462" }
      , logging = common.Logging::{=}
      }
    }
