let M = ../package.dhall

let cluster = ../cluster.dhall

in  M.Replica::{
    , chain = cluster.chain
    , feed = cluster.feed
    , transactions = cluster.transactions
    , outcomes = cluster.outcomes
    , filters = cluster.filters
    , stateDir = "/var/lib/maidenlane/replica-main"
    }
