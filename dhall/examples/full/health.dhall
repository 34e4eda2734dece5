-- Every setting of a health checker. All but chain, groups and stateDir may be left out.
let M = ../../package.dhall

in  M.Health::{
    -- The chain. A target of another one is down at once.
    , chain = M.Chain::{
      -- Name in topic names, for targets that are feeds. Required.
      , name = "mainnet"
      -- EIP-155 chain id. Required.
      , id = 1
      -- Hash of block 0; None takes what a majority of the sources says. Default None.
      , genesis =
          Some
            "0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"
      }
    -- Time between two blocks. What limits leave out follows from it. Default 12000.
    , blockTime_ms = 12000
    -- Where feeds are; None where no target is one.
    , feed = Some M.Feed::{
      -- First part of every topic name. Default "maidenlane".
      , prefix = "maidenlane"
      -- One of those on the log. Required.
      , name = "a"
      -- M.Log.Segment for one machine, M.Log.Kafka M.Kafka::{ brokers = [ "host:9092" ] } for many. Required.
      , log =
          M.Log.Segment
            M.Segment::{
            -- Holds one directory per topic. Required.
            , dir = "/var/lib/maidenlane/log"
            }
      }
    -- Who is watched. Required.
    , groups =
      [ M.Group::{
        -- In paths, metrics and answers. Required.
        , name = "replicas"
        -- Who serves the same clients. Required.
        , targets =
          [ M.Target::{
            -- In paths, metrics and answers, and what haproxy sends with agent-send. Required.
            , name = "replica-1"
            -- M.Probe.Replica and M.Probe.Node with the address of a JSON-RPC (http://, https://, ws://, wss:// or the path of
            -- a socket), M.Probe.Daemon with that of the admin listener of a tap, an emitter or a relay, M.Probe.Beacon with
            -- that of a beacon node's REST interface, M.Probe.Feed with the name of a feed. Required.
            , probe = M.Probe.Replica "https://10.0.0.11:8545"
            -- Admin listener of one of our daemons: its own word, its clock, its next fork. Default None.
            , admin = Some "http://10.0.0.11:9462"
            -- The feed that it follows, or of which it is the master. All targets of one feed have one vote together; None gives
            -- a node its own. Default None.
            , feed = Some "a"
            -- Right where sources disagree and none has a majority. Default False.
            , trusted = False
            -- Address for clients, an IP address and a port, as /servers and the zone name it: without it neither does. Default None.
            , serves = Some "10.0.0.11:8545"
            -- M.Credential.Bearer with the file of a token, M.Credential.Jwt with that of a key in hex, M.Credential.Path
            -- with that of a key that belongs behind the address: {credential:NAME} or a path. Default None.
            , credential = Some (M.Credential.Bearer "{credential:health}")
            -- PEM file of the authorities that sign its certificate, {credential:NAME} or a path; None takes the system's.
            -- Default None.
            , ca = Some "{credential:ca}"
            }
          , M.Target::{ name = "feed-a", probe = M.Probe.Feed "a" }
          ]
        -- Every target is asked once in this time. Default 1000.
        , interval_ms = 1000
        -- All answers of a round have this time together. Longer than interval_ms, silent targets are asked less often. Default 500.
        , timeout_ms = 500
        -- Rounds in a row that a check must fail in, to count. A wrong chain, or another hash at a block that is final, counts
        -- at once. Default 2.
        , fall = 2
        -- Rounds in a row that it must pass in, to be well again; not less than fall. Default 3.
        , rise = 3
        -- What has failed counts for this time at least. Default 5000.
        , dwell_ms = 5000
        -- So many targets stay in the pool, as degraded, although they are down, unless they are on a wrong chain, on a fork, or
        -- only starting: with 0 there is no answer rather than a stale one. No more than there are. Default 0.
        , floor = 0
        -- Share of requests that a degraded target gets, for balancers that know weights. Default 10.
        , degraded_percent = 10
        -- Limits of the checks.
        , limits = M.Limits::{
          -- Blocks behind the tip; None is three seconds' worth of blocks, 2 at least. Default None.
          , lagBlocks = Some 2
          -- Age of the head; None is ten blocks' time, 10 s at least. Default None.
          , headAge_ms = Some 120000
          -- True for chains that may halt: no head is too old. Default False.
          , mayHalt = False
          -- Another hash so deep below the head that all have is a fork; None is three seconds' worth of blocks, 3 at least.
          -- Default None.
          , forkAfterBlocks = Some 3
          -- Slower than that in half of its answers is degraded; less than timeout_ms. Default 250.
          , latency_ms = 250
          -- More of the last 30 rounds without an answer is degraded, half of them is down. Default 20.
          , errors_percent = 20
          -- A node with fewer peers is degraded; 0 for one that has none. Default 1.
          , peersMin = 1
          -- A clock that is further off is degraded. Default 5000.
          , clock_ms = 5000
          -- A feed without a sign of life for so long is down. Default 15000.
          , maxSilence_ms = 15000
          -- A daemon of ours whose disk has less room is degraded; 0 for none. Default 10.
          , diskFree_percent = 10
          -- A daemon of ours whose disk is full sooner, at the rate of the last hour, is degraded; 0 for none. Default 24.
          , diskLeft_h = 24
          -- A target whose certificate expires sooner is degraded; 0 for none. Default 14.
          , certificateLeft_d = 14
          }
        }
      ]
    -- Accounts whose balances are compared between targets at the same block, beside the one that the block paid. Default [].
    , accounts = [ "0x00000000219ab540356cBB839Cbe05303d7705Fa" ]
    -- Verdicts over HTTP, and the status page.
    , http = M.Admin::{
      -- Port 0 takes a free one. Default "127.0.0.1:9470".
      , listen = "127.0.0.1:9470"
      -- True where a proxy or a firewall decides who reaches an address that is not loopback. Default False.
      , behindProxy = False
      }
    -- Verdicts for haproxy's agent-check.
    , agent = M.Admin::{
      -- Port 0 takes a free one. Default "127.0.0.1:9471".
      , listen = "127.0.0.1:9471"
      -- True where a proxy or a firewall decides who reaches an address that is not loopback. Default False.
      , behindProxy = False
      }
    -- Who serves, for resolvers: GROUP.ZONE has the addresses, _rpc._tcp.GROUP.ZONE ports and weights. Left out, or None, there is
    -- no zone.
    , dns = Some M.Dns::{
      -- Name of the zone, which resolvers of yours ask here as a stub zone; not the root. Required.
      , zone = "nodes.example"
      -- Over UDP and TCP; port 0 takes a free one. Default "127.0.0.1:9472".
      , listen = "127.0.0.1:9472"
      -- True where a proxy or a firewall decides who reaches an address that is not loopback. Default False.
      , behindProxy = False
      -- Seconds for which resolvers keep answers, empty ones as well. Default 5.
      , ttl_s = 5
      }
    -- Prefixes of addresses that all of them answer, such as "10.0.0.0/8"; this machine they always do. With one, an address that
    -- is not loopback counts as guarded. Default [].
    , allow = [ "10.0.0.0/8" ]
    -- /metrics /live /ready /status over HTTP.
    , admin = M.Admin::{
      -- Port 0 takes a free one. Default "127.0.0.1:9465".
      , listen = "127.0.0.1:9465"
      -- True where a proxy or a firewall decides who reaches an address that is not loopback. Default False.
      , behindProxy = False
      }
    -- Log lines, on standard error.
    , logging = M.Logging::{
      -- Such as "info" or "info,maidenlane_health=debug". Default "info". Reloads.
      , filter = "info"
      -- Lines as JSON. Default False.
      , json = False
      }
    -- The daemon's own files: cordons, and the record of incidents. Required.
    , stateDir = "/var/lib/maidenlane/health-main"
    }
