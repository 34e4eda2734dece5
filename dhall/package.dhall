-- What settings import: let M = ./package.dhall in M.Tap::{ … }
let common = ./common.dhall

let emitter = ./emitter.dhall

let health = ./health.dhall

let relay = ./relay.dhall

let replica = ./replica.dhall

let tap = ./tap.dhall

in  { Tap = { Type = tap.Type, default = tap.default }
    , Begin = tap.Begin
    , Replica = { Type = replica.Type, default = replica.default }
    , Emitter = { Type = emitter.Type, default = emitter.default }
    , Upstream = emitter.Upstream
    , Credential = emitter.Credential
    , Route = emitter.Route
    , Health = { Type = health.Type, default = health.default }
    , Group = health.Group
    , Target = health.Target
    , Probe = health.Probe
    , Limits = health.Limits
    , Dns = health.Dns
    , Relay = { Type = relay.Type, default = relay.default }
    , Builder = relay.Builder
    , Push = relay.Push
    , Preset = relay.Preset
    , Dialect = relay.Dialect
    , Wallets = relay.Wallets
    , Simulation = relay.Simulation
    , Failed = relay.Failed
    , Rpc = replica.Rpc
    , MethodTimeout = replica.MethodTimeout
    , History = replica.History
    , Answer = replica.Answer
    , Verdict = replica.Verdict
    , Backfill = replica.Backfill
    , Outcomes = replica.Outcomes
    , Pool = replica.Pool
    , BlockSource = replica.BlockSource
    , Transactions = replica.Transactions
    , Accept = replica.Accept
    , Filters = replica.Filters
    , Snapshots = replica.Snapshots
    , Repository = replica.Repository
    , S3 = replica.S3
    , Chain = common.Chain
    , Feed = common.Feed
    , Log = common.Log
    , Segment = common.Segment
    , Kafka = common.Kafka
    , KafkaTls = common.KafkaTls
    , Sasl = common.Sasl
    , Mechanism = common.Mechanism
    , Admin = common.Admin
    , Listener = common.Listener
    , Tls = common.Tls
    , Identity = common.Identity
    , Proof = common.Proof
    , Logging = common.Logging
    }
