let M = ../package.dhall

let cluster = ../cluster.dhall

in  M.Emitter::{
    , chain = cluster.chain
    , feed = cluster.feed
    , upstreams = cluster.nodes
    , routes = cluster.routes
    , admin = M.Admin::{ listen = "127.0.0.1:9466" }
    , stateDir = "/var/lib/maidenlane/emitter-1"
    }
