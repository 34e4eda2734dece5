-- Every setting of a relay. All but chain, feed, keyring and stateDir may be left out.
let M = ../../package.dhall

in  M.Relay::{
    -- The chain of the orders. Transactions of another one are refused.
    , chain = M.Chain::{
      -- Name in topic names. Required.
      , name = "mainnet"
      -- EIP-155 chain id. Required.
      , id = 1
      -- Hash of block 0; None takes what the feed says. Default None.
      , genesis = None Text
      }
    -- The feed that tells what the chain is. Orders are on the same log, sealed, in the topic <prefix>.<chain>.bundles.
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
    -- File with the keys of what the log keeps, {credential:NAME} or a path: one line `hash` and one or more lines `seal`, each with
    -- 64 hex digits. Required.
    , keyring = "{credential:keyring}"
    -- Where searchers, wallets and builders connect, bound once the relay has read the orders of the log. One or more, with names of
    -- their own.
    , listeners =
      [ M.Listener::{
        -- In addresses.json and log lines. Default "rpc".
        , name = "rpc"
        -- address:port for HTTP and WebSocket, or the absolute path of an IPC socket. Default "127.0.0.1:8547".
        , listen = "127.0.0.1:8547"
        -- Permissions of an IPC socket; its directory counts too. Default "0600".
        , socketMode = "0600"
        -- True where a proxy or a firewall decides who reaches an address that is not loopback; without one it needs tls and
        -- access. Default False.
        , behindProxy = False
        -- HTTP requests are answered. Default True.
        , http = True
        -- WebSockets are. Default True.
        , webSocket = True
        -- What is served. Default [ "eth", "net", "web3", "flashbots", "mev", "maidenlane" ].
        , namespaces = [ "eth", "net", "web3", "flashbots", "mev", "maidenlane" ]
        -- Web pages that may read answers and open WebSockets, as "https://app.example" or "*". Default [].
        , origins = [] : List Text
        -- Names in the Host header that are ours, or "*"; addresses always are. Default [ "localhost" ].
        , hosts = [ "localhost" ]
        -- TLS 1.2 and later; files that change are read again. Default None.
        , tls = Some M.Tls::{
          -- PEM, the own certificate first: "{credential:NAME}" or an absolute path. Required.
          , certificate = "{credential:rpc-certificate}"
          -- Its private key in PEM, likewise. Required.
          , key = "{credential:rpc-key}"
          -- Who signs the certificates that clients must then have, in PEM; None asks for none. Required.
          , clientCa = None Text
          }
        -- Who may come in; the first that fits counts. Left out, or empty, everybody may, who then must sign.
        , access =
          [ M.Identity::{
            -- For people, in records, and in `builders`. Required.
            , name = "builder-one"
            -- M.Proof.Bearer or M.Proof.Jwt and the file of a token or a key (hexadecimal), "{credential:NAME}" or a path, or
            -- M.Proof.Certificate and the DNS name in a client's certificate. Required.
            , proof = M.Proof.Bearer "{credential:builder-one}"
            -- Namespaces, of those of the listener; None for all. Required.
            , namespaces = Some [ "maidenlane" ]
            -- Not looked at: what an identity may send is a matter of its namespaces. Required.
            , maySend = False
            -- Not looked at: everybody is told of his own orders alone. Default False.
            , seesAll = False
            -- Not looked at: orders name builders themselves. Default None.
            , tag = None Text
            -- Calls per second, and at once; None for any number. Required.
            , callsPerSecond = Some 100
            -- Size of all requests of a minute, and at once; None for any. Default None.
            , requests_MB_per_min = Some 600
            }
          ]
        }
      ]
    -- Listeners that also let in the identities which `maidenlane relay identity add` made; nobody else comes in there but those of
    -- their access. Default [].
    , enrols = [ "rpc" ]
    -- Builders that get orders, and that orders may name. Left out, or empty, there are none.
    , builders =
      [ M.Builder::{
        -- In orders, metrics and /status. Required.
        , name = "one"
        -- Identity of a listener that pulls orders for it by maidenlane_mevBundles; None for none. Default None.
        , pulls = Some "builder-one"
        -- Where orders are sent to it. Left out, or None, nowhere. M.Push has the defaults of the first relay; M.Preset.BuilderNet,
        -- M.Preset.Titan and M.Preset.Flashbots have dialect, bounds and need of a key of those, and leave the address to you.
        , push = Some M.Push::{
          -- http:// or https://, or stratumss:// for JSON-RPC on a WebSocket over TLS, or stratumss+tcp://HOST:PORT for lines over TLS.
          -- Required.
          , address = "https://rpc.builder-one.example"
          -- M.Dialect.Flashbots, M.Dialect.BuilderNet or M.Dialect.Titan; what a dialect has no words for is not sent in it. Default
          -- Flashbots.
          , dialect = M.Dialect.BuilderNet
          -- File with the key that signs requests, 64 hex digits, "{credential:NAME}" or a path; None signs nothing. Default None.
          , key = Some "{credential:builder-one-key}"
          -- It takes nothing that is not signed: without a key, the settings are refused. Default False.
          , wantsKey = True
          -- What lets us in: M.Credential.Bearer or M.Credential.Jwt and a file. Default None.
          , credential = None M.Credential
          -- PEM file of the authorities that sign its certificate; None for the system's. Default None.
          , ca = None Text
          -- Time for an answer; without one the order is sent again. Default 2000.
          , timeout_ms = 2000
          -- Requests at one time. Default 16.
          , lanes = 16
          -- Blocks before its own at which an order goes out; 1 is the block before. Default 5.
          , ahead = 5
          -- Requests per second; None for any number. Default None.
          , perSecond = Some 100
          -- Transactions of an order; one with more is not sent there, and its status says so. None for any number. Default Some 100.
          , txsMax = Some 100
          -- Size of the transactions of an order, likewise. Default Some 300.
          , orderMax_kB = Some 10000
          -- Requests are made and signed, and none is sent: /metrics counts them as `dry`. Default False.
          , dryRun = False
          }
        }
      ]
    -- For wallets that have the relay as their only address: what a replica answers them. Left out, or None, the relay answers its
    -- own methods alone.
    , wallets = Some M.Wallets::{
      -- http://, https://, ws:// or wss://, or the absolute path of an IPC socket. Required.
      , replica = "http://127.0.0.1:8545"
      -- What lets us in: M.Credential.Bearer or M.Credential.Jwt and a file. Default None.
      , credential = None M.Credential
      -- PEM file of the authorities that sign its certificate; None for the system's. Default None.
      , ca = None Text
      -- Time for an answer. Default 5000.
      , timeout_ms = 5000
      }
    -- Simulation of orders on each head, and of what eth_callBundle asks for.
    , simulation = M.Simulation::{
      -- Threads for orders, and as many for callers. Default 2.
      , threads = 2
      -- Orders that may wait for a thread, and as many calls; orders beyond that are delivered without. Default 10000.
      , queue = 10000
      -- Longest time of one bundle, at most 30000. Default 5000.
      , timeout_ms = 5000
      -- Gas that each identity, or signer without one, may have simulated, in millions a second, and ten times that at once.
      -- Default 500.
      , accountMgas_per_s = 500
      -- Time between two blocks, for the timestamp of the next one. Default 12.
      , blockTime_s = 12
      -- M.Failed.Send delivers orders that fail in simulation all the same: nobody knows what a builder puts before them.
      -- M.Failed.Hold keeps them until they succeed on a later head. Default Send.
      , failed = M.Failed.Send
      -- Analysed code that is kept. Default 64.
      , codeCache_MB = 64
      -- Results of transactions that are kept until the next head. Default 64.
      , resultCache_MB = 64
      }
    -- Private transactions whose senders say `useMempool` become public where none of so many blocks held them: they go into the
    -- topic <prefix>.<chain>.transactions, which has to be there, and an emitter to read it. None refuses `useMempool`. Default None.
    , mempoolAfterBlocks = Some 8
    -- Size of a request. Default 20.
    , bodyMax_MB = 20
    -- Size of one order's transactions, at most 15. Default 10.
    , orderMax_MB = 10
    -- Orders that are known at one time: until their last block is final. Default 100000.
    , ordersMax = 100000
    -- Transactions of those that a block may still hold. Default 1000.
    , ordersMax_MB = 1000
    -- The same of one identity, or of one signer where nobody proved an identity. Default 100.
    , accountMax_MB = 100
    -- Blocks that an order may wait for its own. Default 100.
    , aheadMax = 100
    -- A signed request that comes again within this time is answered as it was, and does nothing. Default 3600.
    , repeat_s = 3600
    -- Deepest reorg that can be followed; a deeper one ends the daemon. Default 90000.
    , undoBlocks = 90000
    -- Further behind the master, no orders are taken. Default 2. Reloads.
    , maxLagBlocks = 2
    -- Without a sign of life from the feed for so long, no orders are taken. Default 15000. Reloads.
    , maxSilence_ms = 15000
    -- Block cache of the database. Default 64.
    , storeCache_MB = 64
    -- /metrics /live /ready /status over HTTP.
    , admin = M.Admin::{
      -- Port 0 takes a free one. Default "127.0.0.1:9468".
      , listen = "127.0.0.1:9468"
      -- True where a proxy or a firewall decides who reaches an address that is not loopback. Default False.
      , behindProxy = False
      }
    -- Log lines, on standard error.
    , logging = M.Logging::{
      -- Such as "info" or "info,maidenlane_relay=debug". Default "info". Reloads.
      , filter = "info"
      -- Lines as JSON. Default False.
      , json = False
      }
    -- The database, and the daemon's own files. Required.
    , stateDir = "/var/lib/maidenlane/relay-main"
    }
