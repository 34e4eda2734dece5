-- maidenlane-relay. Without a default: chain, feed, keyring, stateDir.
let common = ./common.dhall

let Dialect = ./types/Dialect.dhall

let Push =
      { Type = ./types/Push.dhall
      , default =
        { dialect = Dialect.Flashbots
        , key = None Text
        , credential = None ./types/Credential.dhall
        , ca = None Text
        , timeout_ms = 2000
        , lanes = 16
        , ahead = 5
        , wantsKey = False
        , perSecond = None Natural
        , txsMax = Some 100
        , orderMax_kB = Some 300
        , dryRun = False
        }
      }

-- Builders of a kind: dialect, bounds, and whether they take what is not signed. Addresses change and are the operator's to find;
-- `maidenlane relay builder test NAME` says whether one is right.
let Preset =
      { Flashbots = { Type = Push.Type, default = Push.default // { wantsKey = True } }
      , BuilderNet =
        { Type = Push.Type
        , default =
                Push.default
            //  { dialect = Dialect.BuilderNet
                , wantsKey = True
                , perSecond = Some 100
                , orderMax_kB = Some 10000
                }
        }
      , Titan =
        { Type = Push.Type
        , default =
                Push.default
            //  { dialect = Dialect.Titan
                , perSecond = Some 50
                , txsMax = None Natural
                , orderMax_kB = None Natural
                }
        }
      }

let Wallets =
      { Type = ./types/Wallets.dhall
      , default =
        { credential = None ./types/Credential.dhall
        , ca = None Text
        , timeout_ms = 5000
        }
      }

let Failed = ./types/Failed.dhall

let Simulation =
      { Type = ./types/Simulation.dhall
      , default =
        { threads = 2
        , queue = 10000
        , timeout_ms = 5000
        , accountMgas_per_s = 500
        , blockTime_s = 12
        , failed = Failed.Send
        , codeCache_MB = 64
        , resultCache_MB = 64
        }
      }

let Builder =
      { Type = ./types/Builder.dhall
      , default = { pulls = None Text, push = None Push.Type }
      }

in  { Type = ./types/Relay.dhall
    , Builder
    , Push
    , Preset
    , Dialect
    , Wallets
    , Simulation
    , Failed
    , default =
      { listeners =
        [ common.Listener::{
          , listen = "127.0.0.1:8547"
          , namespaces = [ "eth", "net", "web3", "flashbots", "mev", "maidenlane" ]
          }
        ]
      , enrols = [] : List Text
      , builders = [] : List Builder.Type
      , wallets = None Wallets.Type
      , simulation = Simulation.default
      , mempoolAfterBlocks = None Natural
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
      , admin = common.Admin::{ listen = "127.0.0.1:9468" }
      , logging = common.Logging::{=}
      }
    }
