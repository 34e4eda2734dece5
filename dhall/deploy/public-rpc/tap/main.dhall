let M = ../package.dhall

let cluster = ../cluster.dhall

in  M.Tap::{
    , chain = cluster.chain
    , feed = cluster.feed
    , spool = "/var/lib/maidenlane/spool"
    , ipc = "/run/geth/geth.ipc"
    , stateDir = "/var/lib/maidenlane/tap-main"
    }
