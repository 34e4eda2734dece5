-- One master, Kafka, three replicas. Every machine has the same copy of this directory and starts the instances that are
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
    -- What becomes of transactions that clients send: nothing here delivers them yet.
    , transactions = M.Transactions.Refuse
    -- eth_newFilter and its kin take a key that all replicas have: M.Filters.Shared "{credential:filter-key}", and with
    -- systemctl edit maidenlane-replica@ in [Service]: LoadCredential=filter-key:/etc/maidenlane/filter.key
    , filters = M.Filters.Off
    }
