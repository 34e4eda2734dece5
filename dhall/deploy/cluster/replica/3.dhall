let M = ../package.dhall

let cluster = ../cluster.dhall

in  M.Replica::{
    , chain = cluster.chain
    , feed = cluster.feed
    , transactions = cluster.transactions
    , outcomes = cluster.outcomes
    , filters = cluster.filters
    -- A load balancer hands on the names that its clients asked for.
    , rpc = M.Rpc::{
      , listeners = [ M.Listener::{ listen = "127.0.0.1:8547", hosts = [ "*" ] } ]
      }
    , admin = M.Admin::{ listen = "127.0.0.1:9464" }
    , stateDir = "/var/lib/maidenlane/replica-3"
    }
