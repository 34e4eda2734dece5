-- maidenlane-relay. Without a default: chain, feed, keyring, stateDir.
let common = ./common.dhall

let Builder = { Type = ./types/Builder.dhall, default.pulls = None Text }

in  { Type = ./types/Relay.dhall
    , Builder
    , default =
      { listeners =
        [ common.Listener::{
          , listen = "127.0.0.1:8547"
          , namespaces = [ "eth", "net", "web3", "flashbots", "maidenlane" ]
          }
        ]
      , builders = [] : List Builder.Type
      , bodyMax_MB = 20
      , orderMax_MB = 10
      , ordersMax = 100000
      , ordersMax_MB = 1000
      , accountMax_MB = 100
      , aheadMax = 100
      , repeat_s = 3600
      , undoBlocks = 90000
      , maxLagBlocks = 2
      , maxSilence_ms = 15000
      , storeCache_MB = 64
      , admin = common.Admin::{ listen = "127.0.0.1:9465" }
      , logging = common.Logging::{=}
      }
    }
