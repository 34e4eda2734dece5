{ admin : { behindProxy : Bool, listen : Text }
, againBlocks : Natural
, again_s : Natural
, chain : { genesis : Optional Text, id : Natural, name : Text }
, feed : { log : < Kafka : { brokers : List Text
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
, group : Text
, hold_s : Natural
, lifetime_s : Natural
, logging : { filter : Text, json : Bool }
, maxSilence_ms : Natural
, pendingMax : Natural
, pendingMax_MB : Natural
, retention_h : Natural
, routes : List { name : Text
    , redundancy : Optional Natural
    , senders : List Text
    , tags : List Text
    , upstreams : List Text
    }
, stateDir : Text
, upstreams : List { address : Text
    , ca : Optional Text
    , credential : Optional < Bearer : Text | Jwt : Text | Path : Text >
    , lanes : Natural
    , name : Text
    , perSecond : Optional Natural
    , queueMax : Natural
    , timeout_ms : Natural
    }
}
