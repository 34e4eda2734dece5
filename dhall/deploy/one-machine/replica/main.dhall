let cluster = ../cluster.dhall

in  cluster.M.Replica::{
    , chain = cluster.chain
    , feed = cluster.feed
    , stateDir = "/var/lib/maidenlane/replica-main"
    }
