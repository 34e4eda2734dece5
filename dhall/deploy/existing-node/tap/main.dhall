let M = ../package.dhall

let cluster = ../cluster.dhall

in  M.Tap::{
    , chain = cluster.chain
    , feed = cluster.feed
    -- The feed begins where the spool does, as soon as that block is final: the chain is older than the hook.
    , begin = M.Begin.Spool
    , spool = "/var/lib/maidenlane/spool"
    , ipc = "/run/geth/geth.ipc"
    , stateDir = "/var/lib/maidenlane/tap-main"
    }
