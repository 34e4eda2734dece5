let M = ../package.dhall

let cluster = ../cluster.dhall

in  M.Health::{
    -- Mainnet's genesis: without it only votes say which chain is right. Of another chain, its own, or None Text.
    , chain =
            cluster.chain
        //  { genesis =
                Some
                  "0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"
            }
    , feed = Some cluster.feed
    , groups =
      [ M.Group::{
        , name = "replicas"
        , targets =
          [ M.Target::{
            , name = "replica-main"
            , probe = M.Probe.Replica "http://127.0.0.1:8545"
            , admin = Some "http://127.0.0.1:9462"
            , feed = Some cluster.feed.name
            , serves = Some "127.0.0.1:8545"
            }
          ]
        }
      , M.Group::{
        , name = "writers"
        , targets =
          [ M.Target::{
            , name = "tap-main"
            , probe = M.Probe.Daemon "http://127.0.0.1:9461"
            }
          , M.Target::{
            , name = "emitter-main"
            , probe = M.Probe.Daemon "http://127.0.0.1:9463"
            }
          ]
        }
      ]
    , stateDir = "/var/lib/maidenlane/health-main"
    }
