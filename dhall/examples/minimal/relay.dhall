let M = ../../package.dhall

in  M.Relay::{
    , chain = M.Chain::{ name = "mainnet", id = 1 }
    , feed = M.Feed::{
      , name = "a"
      , log = M.Log.Segment M.Segment::{ dir = "/var/lib/maidenlane/log" }
      }
    , keyring = "{credential:keyring}"
    , stateDir = "/var/lib/maidenlane/relay-main"
    }
