{ accounts : List Text
, admin : { behindProxy : Bool, listen : Text }
, agent : { behindProxy : Bool, listen : Text }
, allow : List Text
, blockTime_ms : Natural
, chain : { genesis : Optional Text, id : Natural, name : Text }
, dns : Optional { behindProxy : Bool, listen : Text, ttl_s : Natural, zone : Text }
, feed : Optional { log : < Kafka : { brokers : List Text
            , sasl : Optional { mechanism : < Plain | ScramSha256 | ScramSha512 >
                , password : Text
                , user : Text
                }
            , tls : Optional { ca : Optional Text, certificate : Optional Text, key : Optional Text }
            }
        | Segment : { dir : Text }
        >
    , name : Text
    , prefix : Text
    }
, groups : List { degraded_percent : Natural
    , dwell_ms : Natural
    , fall : Natural
    , floor : Natural
    , interval_ms : Natural
    , limits : { certificateLeft_d : Natural
        , clock_ms : Natural
        , diskFree_percent : Natural
        , diskLeft_h : Natural
        , errors_percent : Natural
        , forkAfterBlocks : Optional Natural
        , headAge_ms : Optional Natural
        , lagBlocks : Optional Natural
        , latency_ms : Natural
        , maxSilence_ms : Natural
        , mayHalt : Bool
        , peersMin : Natural
        }
    , name : Text
    , rise : Natural
    , targets : List { admin : Optional Text
        , ca : Optional Text
        , credential : Optional < Bearer : Text | Jwt : Text | Path : Text >
        , feed : Optional Text
        , name : Text
        , probe : < Beacon : Text | Daemon : Text | Feed : Text | Node : Text | Replica : Text >
        , serves : Optional Text
        , trusted : Bool
        }
    , timeout_ms : Natural
    }
, http : { behindProxy : Bool, listen : Text }
, logging : { filter : Text, json : Bool }
, stateDir : Text
}
