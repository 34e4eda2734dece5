let M = ../../package.dhall

in  M.Health::{
    , chain = M.Chain::{ name = "mainnet", id = 1 }
    , groups =
      [ M.Group::{
        , name = "replicas"
        , targets =
          [ M.Target::{
            , name = "replica-1"
            , probe = M.Probe.Replica "http://127.0.0.1:8545"
            , admin = Some "http://127.0.0.1:9462"
            , feed = Some "a"
            }
          ]
        }
      ]
    , stateDir = "/var/lib/maidenlane/health-main"
    }
