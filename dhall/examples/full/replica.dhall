-- Every setting of a replica. All but chain, feed, transactions, filters and stateDir may be
-- left out.
let M = ../../package.dhall

in  M.Replica::{
    -- The chain that is served.
    , chain = M.Chain::{
      -- Name in topic names. Required.
      , name = "mainnet"
      -- EIP-155 chain id; another chain is refused. Required.
      , id = 1
      -- Hash of block 0; None takes what the feed says. Default None.
      , genesis = Some
          "0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"
      }
    -- The feed that is replayed, from the topic <prefix>.<chain>.<name>.blocks.
    , feed = M.Feed::{
      -- First part of every topic name. Default "maidenlane".
      , prefix = "maidenlane"
      -- One per master. Required.
      , name = "a"
      -- M.Log.Kafka for many machines, M.Log.Segment M.Segment::{ dir = "/…" } for one. Required.
      , log =
          M.Log.Kafka
            M.Kafka::{
            -- Some of the brokers; they name the others. Required.
            , brokers = [ "kafka-1:9092", "kafka-2:9092" ]
            -- None for brokers in the clear, where everybody on the way reads and writes along.
            , tls = Some M.KafkaTls::{
              -- PEM of the authorities that sign the brokers' certificates. None takes those of the machine. Default None.
              , ca = Some "{credential:kafka-ca}"
              -- PEM of the own certificate, where brokers want one. Default None.
              , certificate = Some "{credential:kafka-certificate}"
              -- PEM of its key. Default None.
              , key = Some "{credential:kafka-key}"
              }
            -- None where brokers want no user and password.
            , sasl = Some M.Sasl::{
              -- M.Mechanism.ScramSha512, ScramSha256, or Plain, over TLS only. Default ScramSha512.
              , mechanism = M.Mechanism.ScramSha512
              -- The name that rights are granted to: `maidenlane log init --acls` prints them. Required.
              , user = "maidenlane-replica"
              -- Its file, "{credential:NAME}" or an absolute path. Required.
              , password = "{credential:kafka-password}"
              }
            }
      }
    -- JSON-RPC and all that a client can cause.
    , rpc = M.Rpc::{
      -- Where clients come in, bound once the replica follows the master. One or more, with names of their own.
      , listeners =
        [ M.Listener::{
          -- In addresses.json and log lines. Default "rpc".
          , name = "public"
          -- address:port for HTTP and WebSocket, or the absolute path of an IPC socket. Default "127.0.0.1:8545".
          , listen = "0.0.0.0:8545"
          -- Permissions of an IPC socket; its directory counts too. Default "0600".
          , socketMode = "0600"
          -- True where a proxy or a firewall decides who reaches an address that is not loopback; without one it
          -- needs tls and access. Default False.
          , behindProxy = False
          -- HTTP requests are answered. Default True.
          , http = True
          -- WebSockets are. Default True.
          , webSocket = True
          -- What is served; debug and trace cost much more than they are paid.
          -- Default [ "eth", "net", "web3", "txpool", "ethercattle", "maidenlane" ].
          , namespaces = [ "eth", "net", "web3" ]
          -- Web pages that may read answers and open WebSockets, as "https://app.example" or "*"; without any, pages
          -- of this machine may open WebSockets. Default [].
          , origins = [ "https://app.example" ]
          -- Names in the Host header that are ours, or "*"; addresses always are. Default [ "localhost" ].
          , hosts = [ "rpc.example" ]
          -- TLS 1.2 and later; files that change are read again. Default None.
          , tls = Some M.Tls::{
            -- PEM, the own certificate first: "{credential:NAME}" or an absolute path. Required.
            , certificate = "{credential:rpc-certificate}"
            -- Its private key in PEM, likewise. Required.
            , key = "{credential:rpc-key}"
            -- Who signs the certificates that clients must then have, in PEM; None asks for none. Required.
            , clientCa = Some "/etc/maidenlane/clients.pem"
            }
          -- Who may come in; the first that fits counts. Empty, or left out, for everybody.
          , access =
            [ M.Identity::{
              -- For people. Required.
              , name = "explorer"
              -- M.Proof.Bearer or M.Proof.Jwt and the file of a token or a key (hexadecimal), "{credential:NAME}" or a
              -- path, or M.Proof.Certificate and the DNS name in a client's certificate. Required.
              , proof = M.Proof.Certificate "explorer.example"
              -- Namespaces, of those of the listener; None for all. Required.
              , namespaces = None (List Text)
              -- Whether its transactions are taken. Required.
              , maySend = False
              -- Whether rejectedTransactions and droppedTransactions tell it of those that others sent, too. Default False.
              , seesAll = False
              -- Tag of its transactions, by which an emitter may choose a route. Default None.
              , tag = None Text
              -- Calls per second, and at once; None for any number. Required.
              , callsPerSecond = Some 500
              -- Size of all requests of a minute, and at once; None for any. Default None.
              , requests_MB_per_min = None Natural
              }
            ]
          }
        ]
      -- Largest request body. Default 5242880.
      , bodyMax_bytes = 5242880
      -- Most calls in one batch. Default 1000.
      , batchMax = 1000
      -- Largest answer, batch or not. All clients together hold 32 of these at most, one connection four, one
      -- address as many as are still free; an answer beyond that is refused (-32005), unless it is small.
      -- Default 25000000.
      , responseMax_bytes = 25000000
      -- Most open connections; as many more wait, and an address that has fewer takes the place of one that has
      -- more. Default 4096.
      , connectionsMax = 4096
      -- Until a request must have arrived; also ends idle HTTP connections. Default 60000.
      , readTimeout_ms = 60000
      -- Until a request must be answered. Default 60000.
      , answerTimeout_ms = 60000
      -- A client that takes less than 16 KiB/s of an answer, over so long, has gone. Default 10000.
      , writeTimeout_ms = 10000
      -- A WebSocket that is silent for so long is pinged, and closed after as long again. Default 30000.
      , ping_ms = 30000
      -- Messages of one WebSocket that are answered at one time; more are not read. Default 16.
      , messagesMax = 16
      -- Subscriptions on one connection. Default 1000.
      , subscriptionsMax = 1000
      -- Given to requests in progress when the daemon stops. Default 5000.
      , drain_ms = 5000
      -- Gas for one call; more is capped. Default 50000000. Reloads.
      , callGasCap = 50000000
      -- Time for one call. Default 5000. Reloads.
      , callTimeout_ms = 5000
      -- Time a call may hold an IO thread before it moves to the pool. Default 100. Reloads.
      , callInline_us = 100
      -- Methods that get less time than answerTimeout_ms. Default []. Reloads.
      , methodTimeouts =
        [ M.MethodTimeout::{
          -- Name of the method. Required. Reloads.
          , method = "eth_getLogs"
          -- Time for one call. Required. Reloads.
          , timeout_ms = 10000
          }
        ]
      -- Threads for long calls and log searches; None is one per core. Default None.
      , poolThreads = Some 8
      -- Calls that may wait for a thread of the pool. Default 256.
      , poolQueue = 256
      -- Most logs in one answer. Default 100000. Reloads.
      , logsMax = 100000
      -- Memory for analysed bytecode. Default 256.
      , codeCache_MB = 256
      -- Memory for decoded blocks, ready JSON, trie nodes, and what each transaction of blocks that were traced changed. Default 256.
      , blockCache_MB = 256
      }
    -- Transactions that clients send: M.Transactions.Refuse, or into the topic <prefix>.<chain>.transactions of the
    -- feed's log, from which emitters deliver them to nodes; wants `outcomes`. Required.
    , transactions =
        M.Transactions.Accept
          M.Accept::{
          -- The topic keeps them at least so long, which is checked. Once the oldest that nobody took out is half as
          -- old, no more are taken. Required.
          , retention_h = 72
          -- The consumer group of what delivers them. Default "maidenlane-emitter".
          , group = "maidenlane-emitter"
          -- When the client gets its answer: M.Answer.Stored, once the transaction is durable here, or M.Answer.Verdict, once
          -- a node has accepted or refused it as well, so that an error is the node's own. Stored, where it is left out.
          , answer =
              M.Answer.Verdict
                M.Verdict::{
                -- After so long the answer is the hash, as with Stored. Default 300.
                , wait_ms = 300
                }
          -- Transactions of one sender that may wait until a node has them, counted over all replicas. Default 64.
          , waitingMax = 64
          -- Megabytes that may wait of one identity of `access`, or of a sender's where nobody is known. Default 16.
          , waitingMax_MB = 16
          }
    -- eth_newFilter and its kin: M.Filters.Off, M.Filters.Own for a replica that stands alone, or behind a balancer with a
    -- key that all replicas have, 32 bytes or more in the file "{credential:NAME}" or a path. They stand in the topic
    -- <prefix>.<chain>.filters of the feed's log. Required.
    , filters = M.Filters.Shared "{credential:filter-key}"
    -- What became of transactions, from the topic <prefix>.<chain>.outcomes of the feed's log, which emitters write:
    -- maidenlane_transactionStatus, and the subscriptions rejectedTransactions and droppedTransactions. None, or left out, keeps
    -- none.
    , outcomes = Some M.Outcomes::{
      -- Age at which one is dropped; the topic keeps them at least as long, which is checked. Default 24.
      , keep_h = 24
      }
    -- The master's pool, from the topic <prefix>.<chain>.<name>.pool, which its tap writes with `pool`: txpool_…, pending
    -- transactions by hash, pending nonces, newPendingTransactions, and droppedTransactions of all senders. None, or left
    -- out, takes it for empty.
    , pool = Some M.Pool::{
      -- Memory for its transactions; where that is not enough the cheapest are evicted. Default 256.
      , max_MB = 256
      }
    -- State can be read this far back: M.History.All, or a number of blocks below the head. Default All.
    , history = M.History.Blocks 100000
    -- State can be proved (eth_getProof) this far back, not further than it can be read: Some M.History.All, or of a number of
    -- blocks, which is then also the deepest reorg. None keeps no trie nodes. Wants `proofs` at the tap and a database that has
    -- them from its beginning; with None they are deleted. Default None.
    , proofs = Some (M.History.Blocks 10000)
    -- Blocks and receipts from before the database's beginning, brought while it serves, downward. None, or left out,
    -- brings none.
    , backfill = Some M.Backfill::{
      -- Down to this block; what is below is answered as pruned (4444). Default 0.
      , from = 15537394
      -- Asked for each block in this order; whoever has it first gives it, and what is not right is refused. M.BlockSource.Era
      -- and a directory of era1 and ere archives; M.BlockSource.Node and the IPC socket or URL of a node with debug_getRaw*;
      -- M.BlockSource.Export and a file of `geth export`, which has no receipts, so that another must have them. Required.
      , sources =
        [ M.BlockSource.Era "/srv/era", M.BlockSource.Node "/run/geth/geth.ipc" ]
      -- Most kilobytes a second, of blocks and receipts, beside the heads. Default 10000.
      , rate_kBps = 10000
      }
    -- Snapshots of replicas, in repositories: M.Repository.Directory of a path, or M.Repository.S3.
    , snapshots = M.Snapshots::{
      -- Where a replica without a block looks for one to begin with, in order; it takes the newest that was verified
      -- and suits these settings. Without any it begins where the feed does.
      , sources =
        [ M.Repository.Directory "/srv/snapshots"
        , M.Repository.S3
            M.S3::{
            -- https://host, or http:// for a store of this machine. Required.
            , endpoint = "https://s3.eu-central-1.amazonaws.com"
            -- A part of each signature; stores of other makes take any. Default "us-east-1".
            , region = "eu-central-1"
            -- The bucket, which exists; encryption is the store's. Required.
            , bucket = "snapshots"
            -- Beginning of all keys. Default "".
            , prefix = "mainnet"
            -- Id of the access key. Required.
            , keyId = "replica"
            -- File with the secret of that key. Required.
            , secret = "{credential:s3-secret}"
            -- Authorities that sign the store's certificate; None for those of the machine. Default None.
            , ca = None Text
            }
        ]
      -- Where `maidenlane replica snapshot` has a running replica send one; None makes none while it runs.
      , target =
          Some
            ( M.Repository.S3
                M.S3::{
                -- As in sources. Required.
                , endpoint = "https://s3.eu-central-1.amazonaws.com"
                -- Likewise. Default "us-east-1".
                , region = "eu-central-1"
                -- Likewise. Required.
                , bucket = "snapshots"
                -- Likewise. Default "".
                , prefix = "mainnet"
                -- Likewise; this one must be allowed to write, list and delete. Required.
                , keyId = "replica"
                -- Likewise. Required.
                , secret = "{credential:s3-secret}"
                -- Likewise. Default None.
                , ca = None Text
                }
            )
      -- What reading and sending may take, so that clients do not feel it. Default None.
      , maxRate_MB_per_s = Some 100
      -- A new one is due, and status and metrics warn, once the log can drop no more than this share of what it
      -- holds before the newest verified snapshot is of no use. Default 50.
      , dueBelow_percent = 60
      }
    -- Reorgs up to this depth can be followed; a deeper one ends the daemon. Default 90000.
    , undoBlocks = 90000
    -- Further behind the master than this, state is not served. Default 2. Reloads.
    , maxLagBlocks = 2
    -- Nor without a sign of life from the feed for this long; more than the brokers' session timeout.
    -- Default 15000. Reloads.
    , maxSilence_ms = 15000
    -- Nor with a head older than this by this machine's clock; None for chains that may halt. Default Some 120.
    -- Reloads.
    , maxHeadAge_s = Some 120
    -- Memory for blocks of the database. Default 512.
    , storeCache_MB = 512
    -- /metrics /live /ready /status over HTTP.
    , admin = M.Admin::{
      -- Port 0 takes a free one. Default "127.0.0.1:9462".
      , listen = "127.0.0.1:9462"
      -- True where a proxy or a firewall decides who reaches an address that is not loopback. Default False.
      , behindProxy = False
      }
    -- Log lines, on standard error.
    , logging = M.Logging::{
      -- Such as "info" or "info,maidenlane_replica=debug". Default "info". Reloads.
      , filter = "info"
      -- Lines as JSON. Default False.
      , json = False
      }
    -- The database and the daemon's own files; not shared with another instance. Required.
    , stateDir = "/var/lib/maidenlane/replica-main"
    }
