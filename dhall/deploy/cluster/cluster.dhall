-- One master, Kafka, three replicas, two emitters and the nodes that they send to. Every machine has the same copy of this directory and starts the instances that are
-- its own. A broker is named here and nowhere else.
let M = ./package.dhall

in  { chain = M.Chain::{ name = "mainnet", id = 1 }
    , feed = M.Feed::{
      , name = "a"
      , log =
          M.Log.Kafka
            M.Kafka::{
            , brokers = [ "kafka-1:9092", "kafka-2:9092", "kafka-3:9092" ]
            }
      }
    -- What becomes of transactions that clients send: the emitters deliver them to nodes. M.Transactions.Refuse takes none.
    , transactions =
        M.Transactions.Accept
          M.Accept::{
          , retention_h = 168
          , answer = M.Answer.Verdict M.Verdict::{=}
          }
    , outcomes = Some M.Outcomes::{=}
    -- Each transaction goes to two of these nodes, to the third when one of them fails.
    , nodes =
      [ M.Upstream::{ name = "node-1", address = "http://node-1:8545" }
      , M.Upstream::{ name = "node-2", address = "http://node-2:8545" }
      , M.Upstream::{ name = "node-3", address = "http://node-3:8545" }
      ]
    , routes = [ M.Route::{ name = "all", redundancy = Some 2 } ]
    -- eth_newFilter and its kin take a key that all replicas have: M.Filters.Shared "{credential:filter-key}", and with
    -- systemctl edit maidenlane-replica@ in [Service]: LoadCredential=filter-key:/etc/maidenlane/filter.key
    , filters = M.Filters.Off
    }
