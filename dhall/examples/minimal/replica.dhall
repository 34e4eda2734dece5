let M = ../../package.dhall

in  M.Replica::{
    , chain = M.Chain::{ name = "mainnet", id = 1 }
    , feed = M.Feed::{
      , name = "a"
      , log = M.Log.Segment M.Segment::{ dir = "/var/lib/maidenlane/log" }
      }
    , transactions = M.Transactions.Refuse
    , filters = M.Filters.Own
    , stateDir = "/var/lib/maidenlane/replica-main"
    }
