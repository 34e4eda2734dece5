let M = ../../package.dhall

in  M.Tap::{
    , spool = "/var/lib/maidenlane/spool"
    , ipc = "/var/lib/geth/geth.ipc"
    , chain = M.Chain::{ name = "mainnet", id = 1 }
    , feed = M.Feed::{
      , name = "a"
      , log = M.Log.Segment M.Segment::{ dir = "/var/lib/maidenlane/log" }
      }
    , stateDir = "/var/lib/maidenlane/tap-main"
    }
