{ admin : { behindProxy : Bool, listen : Text }
, auditKeys : Natural
, begin : < Genesis | Spool | UnsafeSpool >
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
, heartbeat_ms : Natural
, ipc : Text
, keepDepth : Natural
, logging : { filter : Text, json : Bool }
, pool : Bool
, proofs : Bool
, spool : Text
, stateDir : Text
}
