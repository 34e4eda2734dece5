-- One machine that takes no transactions: geth, a tap and a replica, with the feed in files and no Kafka.
-- This file says what they share, <daemon>/<instance>.dhall the rest.
let M = ./package.dhall

in  { chain = M.Chain::{ name = "mainnet", id = 1 }
    , feed = M.Feed::{
      , name = "a"
      , log = M.Log.Segment M.Segment::{ dir = "/var/lib/maidenlane/log" }
      }
    -- What becomes of transactions that clients send: they are refused, for nothing here delivers any.
    , transactions = M.Transactions.Refuse
    -- eth_newFilter and its kin, for the one replica.
    , filters = M.Filters.Own
    }
