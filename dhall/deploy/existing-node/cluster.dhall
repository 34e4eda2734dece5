-- One machine whose geth was synced without the hook: tap, replica and emitter, with the feed in files and no Kafka.
-- `maidenlane master adopt` prepares geth, `maidenlane replica import` the replica.
-- This file says what they share, <daemon>/<instance>.dhall the rest.
let M = ./package.dhall

in  { chain = M.Chain::{ name = "mainnet", id = 1 }
    , feed = M.Feed::{
      , name = "a"
      , log = M.Log.Segment M.Segment::{ dir = "/var/lib/maidenlane/log" }
      }
    -- What becomes of transactions that clients send: the emitter delivers them to the master. M.Transactions.Refuse takes none.
    , transactions =
        M.Transactions.Accept
          M.Accept::{
          , retention_h = 168
          , answer = M.Answer.Verdict M.Verdict::{=}
          }
    , outcomes = Some M.Outcomes::{=}
    -- eth_newFilter and its kin, for the one replica.
    , filters = M.Filters.Own
    }
