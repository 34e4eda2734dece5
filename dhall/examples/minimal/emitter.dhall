let M = ../../package.dhall

in  M.Emitter::{
    , chain = M.Chain::{ name = "mainnet", id = 1 }
    , feed = M.Feed::{
      , name = "a"
      , log = M.Log.Segment M.Segment::{ dir = "/var/lib/maidenlane/log" }
      }
    , upstreams =
      [ M.Upstream::{ name = "master", address = "/run/geth/geth.ipc" } ]
    , stateDir = "/var/lib/maidenlane/emitter-main"
    }
