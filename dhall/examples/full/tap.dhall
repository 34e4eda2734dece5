-- Every setting of a tap. All but spool, ipc, chain, feed and stateDir may be left out.
let M = ../../package.dhall

in  M.Tap::{
    -- Directory that the hook in geth writes to. Required.
    , spool = "/var/lib/maidenlane/spool"
    -- geth's IPC socket. Required.
    , ipc = "/var/lib/geth/geth.ipc"
    -- The chain that the master follows.
    , chain = M.Chain::{
      -- Name in topic names. Required.
      , name = "mainnet"
      -- EIP-155 chain id; another chain is refused. Required.
      , id = 1
      -- Hash of block 0; None takes the master's. Default None.
      , genesis = Some
          "0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"
      }
    -- The feed that this tap writes, to the topic <prefix>.<chain>.<name>.blocks.
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
    -- A new feed begins at genesis or not at all. M.Begin.Spool lets it begin where the spool does, once that block is
    -- final: then only replicas that stand at it can follow, as `maidenlane replica import` makes them.
    -- M.Begin.UnsafeSpool does not wait, for chains without finality. Default Genesis.
    , begin = M.Begin.Genesis
    -- Publish the trie nodes that each block changes, to the topic <prefix>.<chain>.<name>.proofs, for replicas that
    -- answer eth_getProof. The hook must write them: "trie": true in geth's --vmtrace.jsonconfig, from block 1 on.
    -- Default False.
    , proofs = False
    -- Publish what is in the master's pool, to the topic <prefix>.<chain>.<name>.pool, for replicas with `pool`. Default
    -- False.
    , pool = False
    -- Changed keys per block near the head that the master must prove; 0 = none. Default 4. Reloads.
    , auditKeys = 4
    -- Between heartbeats, and between questions to the master. Default 250. Reloads.
    , heartbeat_ms = 250
    -- Without finality, spool segments are kept until their blocks are this deep: up to 0.93 MB each, which the
    -- hook's `maxSpool_MB` must have room for. Default 90000. Reloads.
    , keepDepth = 90000
    -- /metrics /live /ready /status over HTTP.
    , admin = M.Admin::{
      -- Port 0 takes a free one. Default "127.0.0.1:9461".
      , listen = "127.0.0.1:9461"
      -- True where a proxy or a firewall decides who reaches an address that is not loopback. Default False.
      , behindProxy = False
      }
    -- Log lines, on standard error.
    , logging = M.Logging::{
      -- Such as "info" or "info,maidenlane_tap=debug". Default "info". Reloads.
      , filter = "info"
      -- Lines as JSON. Default False.
      , json = False
      }
    -- The daemon's own files; not shared with another instance. Required.
    , stateDir = "/var/lib/maidenlane/tap-main"
    }
