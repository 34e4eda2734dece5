let M = ../package.dhall

let cluster = ../cluster.dhall

in  M.Emitter::{
    , chain = cluster.chain
    , feed = cluster.feed
    , upstreams =
      [ M.Upstream::{ name = "master", address = "/run/geth/geth.ipc" } ]
    , stateDir = "/var/lib/maidenlane/emitter-main"
    }
