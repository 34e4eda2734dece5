-- Every setting of a replica. All but chain, feed and stateDir may be left out.
let M = ../../package.dhall

in  M.Replica::{
    -- The chain that is served.
    , chain = M.Chain::{
      -- Name in topic names.
      , name = "mainnet"
      -- EIP-155 chain id; another chain is refused.
      , id = 1
      -- Hash of block 0; None takes what the feed says.
      , genesis = Some
          "0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"
      }
    -- The feed that is replayed, from the topic <prefix>.<chain>.<name>.blocks.
    , feed = M.Feed::{
      -- First part of every topic name.
      , prefix = "maidenlane"
      -- One per master.
      , name = "a"
      -- M.Log.Kafka for many machines, M.Log.Segment M.Segment::{ dir = "/…" } for one.
      , log =
          M.Log.Kafka
            M.Kafka::{
            -- Some of the brokers; they name the others.
            , brokers = [ "kafka-1:9092", "kafka-2:9092" ]
            }
      }
    -- JSON-RPC and all that a client can cause.
    , rpc = M.Rpc::{
      -- Bound once the replica follows.
      , listen = "127.0.0.1:8545"
      -- Largest request body.
      , bodyMax_bytes = 5242880
      -- Most calls in one batch.
      , batchMax = 1000
      -- Largest answer, batch or not.
      , responseMax_bytes = 25000000
      -- Most open connections; more wait.
      , connectionsMax = 4096
      -- Until a request must have arrived; also ends idle connections.
      , readTimeout_ms = 60000
      -- Until a request must be answered.
      , answerTimeout_ms = 60000
      -- Given to requests in progress when the daemon stops.
      , drain_ms = 5000
      -- Gas for one call; more is capped.
      , callGasCap = 50000000
      -- Time for one call.
      , callTimeout_ms = 5000
      -- Time a call may hold an IO thread before it moves to the pool.
      , callInline_us = 100
      -- Threads for long calls and log searches; None is one per core.
      , poolThreads = Some 8
      -- Calls that may wait for a thread of the pool.
      , poolQueue = 256
      -- Most logs in one answer.
      , logsMax = 100000
      -- Memory for analysed bytecode.
      , codeCache_MB = 256
      -- Memory for decoded blocks and ready JSON.
      , blockCache_MB = 256
      }
    -- State can be read this far back: M.History.All, or a number of blocks below the head.
    , history = M.History.Blocks 100000
    -- Reorgs up to this depth can be followed; a deeper one ends the daemon.
    , undoBlocks = 90000
    -- Further behind the master than this, state is not served.
    , maxLagBlocks = 2
    -- Nor without a sign of life from the feed for this long; more than the brokers' session timeout.
    , maxSilence_ms = 15000
    -- Nor with a head older than this; None for chains that may halt.
    , maxHeadAge_s = Some 120
    -- Memory for blocks of the database.
    , storeCache_MB = 512
    -- /metrics /live /ready /status over HTTP.
    , admin = M.Admin::{
      -- Loopback, or an address behind a firewall. Port 0 takes a free one.
      , listen = "127.0.0.1:9462"
      }
    -- Log lines, on standard error.
    , logging = M.Logging::{
      -- Such as "info" or "info,maidenlane_replica=debug".
      , filter = "info"
      -- Lines as JSON.
      , json = False
      }
    -- The database and the daemon's own files; not shared with another instance.
    , stateDir = "/var/lib/maidenlane/replica-main"
    }
