-- Every setting of an emitter. All but chain, feed, upstreams and stateDir may be left out.
let M = ../../package.dhall

in  M.Emitter::{
    -- The chain of the transactions. A node of another one gets nothing.
    , chain = M.Chain::{
      -- Name in topic names. Required.
      , name = "mainnet"
      -- EIP-155 chain id. Required.
      , id = 1
      -- Not looked at: blocks are the feed's. Default None.
      , genesis = None Text
      }
    -- The feed that tells what blocks hold. Transactions and their outcomes are on the same log, in the topics
    -- <prefix>.<chain>.transactions and <prefix>.<chain>.outcomes.
    , feed = M.Feed::{
      -- First part of every topic name. Default "maidenlane".
      , prefix = "maidenlane"
      -- One per master. Required.
      , name = "a"
      -- M.Log.Segment for one machine, M.Log.Kafka M.Kafka::{ brokers = [ "host:9092" ] } for many. Required.
      , log =
          M.Log.Segment
            M.Segment::{
            -- Holds one directory per topic. Required.
            , dir = "/var/lib/maidenlane/log"
            }
      }
    -- Emitters of one group share the work; it is the group that replicas ask for. Default "maidenlane-emitter".
    , group = "maidenlane-emitter"
    -- Nodes that get every transaction, all at once where no route says otherwise; one that has it is enough. Required.
    , upstreams =
      [ M.Upstream::{
        -- In outcomes, metrics and /status. Required.
        , name = "provider"
        -- http://, https://, ws:// or wss://, or the absolute path of an IPC socket. Required.
        , address = "https://rpc.example.org"
        -- M.Credential.Bearer with the file of a token, M.Credential.Jwt with that of a key in hex, M.Credential.Path
        -- with that of a key that belongs behind the address: {credential:NAME} or a path. Default None.
        , credential = Some (M.Credential.Bearer "{credential:provider}")
        -- PEM file of the authorities that sign its certificate, {credential:NAME} or a path; None takes the system's.
        -- Default None.
        , ca = None Text
        -- Without an answer in this time a transaction is sent again. Default 5000.
        , timeout_ms = 5000
        -- Requests that may wait for it; what is more is sent later. Default 1024.
        , queueMax = 1024
        -- Requests at one time. Those of one sender go one after the other. Default 8.
        , lanes = 8
        -- Requests per second; None for any number. Default None.
        , perSecond = Some 25
        }
      ]
    -- Which nodes get whose transactions: the first route that fits counts, and what none fits goes to all nodes.
    -- Left out, or empty, there are none.
    , routes =
      [ M.Route::{
        -- In metrics. Required.
        , name = "desk"
        -- Transactions of these accounts. Default [].
        , senders = [ "0xd8da6bf26964af9d7eed9e03e53415d37aa96045" ]
        -- And those with one of these tags, which replicas give to what an identity sends. A route without senders and tags
        -- takes all. Default [].
        , tags = [ "desk" ]
        -- Names of nodes, in the order in which they are asked; empty for all. Default [].
        , upstreams = [ "provider" ]
        -- Nodes that get a transaction at once; those behind them stand in when one fails. None for all. Default None.
        , redundancy = Some 1
        }
      ]
    -- A transaction that no block holds after this time is given up, and told as expired. Less than a quarter of
    -- retention_h. Default 10800.
    , lifetime_s = 10800
    -- A transaction that waits this long, for room in pools or for one of its sender's before it, is still sent again, but no
    -- longer keeps those behind it from counting as consumed. Default 60.
    , hold_s = 60
    -- Sent again after so many blocks, until one holds it. Default 10.
    , againBlocks = 10
    -- Sent again after this time where no blocks come. Default 300.
    , again_s = 300
    -- Topics that keep transactions or outcomes for less are refused. Default 168.
    , retention_h = 168
    -- Transactions that no block holds yet beyond which no more are taken out of the log. Default 100000.
    , pendingMax = 100000
    -- Megabytes of them, likewise. Default 256.
    , pendingMax_MB = 256
    -- Without a sign of life from the feed for so long, nothing is said of blocks, and nothing expires. Default 15000.
    , maxSilence_ms = 15000
    -- /metrics /live /ready /status over HTTP.
    , admin = M.Admin::{
      -- Port 0 takes a free one. Default "127.0.0.1:9463".
      , listen = "127.0.0.1:9463"
      -- True where a proxy or a firewall decides who reaches an address that is not loopback. Default False.
      , behindProxy = False
      }
    -- Log lines, on standard error.
    , logging = M.Logging::{
      -- Such as "info" or "info,maidenlane_emitter=debug". Default "info". Reloads.
      , filter = "info"
      -- Lines as JSON. Default False.
      , json = False
      }
    -- The daemon's own files: none but its addresses. Required.
    , stateDir = "/var/lib/maidenlane/emitter-main"
    }
