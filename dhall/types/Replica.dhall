{ admin : { behindProxy : Bool, listen : Text }
, backfill : Optional { from : Natural
    , rate_kBps : Natural
    , sources : List < Era : Text | Export : Text | Node : Text >
    }
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
, filters : < Off | Own | Shared : Text >
, history : < All | Blocks : Natural >
, logging : { filter : Text, json : Bool }
, maxHeadAge_s : Optional Natural
, maxLagBlocks : Natural
, maxSilence_ms : Natural
, outcomes : Optional { keep_h : Natural }
, pool : Optional { max_MB : Natural }
, proofs : Optional < All | Blocks : Natural >
, rpc : { answerTimeout_ms : Natural
    , batchMax : Natural
    , blockCache_MB : Natural
    , bodyMax_bytes : Natural
    , callGasCap : Natural
    , callInline_us : Natural
    , callTimeout_ms : Natural
    , codeCache_MB : Natural
    , connectionsMax : Natural
    , drain_ms : Natural
    , listeners : List { access : List { callsPerSecond : Optional Natural
            , maySend : Bool
            , name : Text
            , namespaces : Optional (List Text)
            , proof : < Bearer : Text | Certificate : Text | Jwt : Text >
            , requests_MB_per_min : Optional Natural
            , seesAll : Bool
            , tag : Optional Text
            }
        , behindProxy : Bool
        , hosts : List Text
        , http : Bool
        , listen : Text
        , name : Text
        , namespaces : List Text
        , origins : List Text
        , socketMode : Text
        , tls : Optional { certificate : Text, clientCa : Optional Text, key : Text }
        , webSocket : Bool
        }
    , logsMax : Natural
    , messagesMax : Natural
    , methodTimeouts : List { method : Text, timeout_ms : Natural }
    , ping_ms : Natural
    , poolQueue : Natural
    , poolThreads : Optional Natural
    , readTimeout_ms : Natural
    , responseMax_bytes : Natural
    , subscriptionsMax : Natural
    , writeTimeout_ms : Natural
    }
, snapshots : { dueBelow_percent : Natural
    , maxRate_MB_per_s : Optional Natural
    , sources : List < Directory : Text
        | S3 : { bucket : Text
            , ca : Optional Text
            , endpoint : Text
            , keyId : Text
            , prefix : Text
            , region : Text
            , secret : Text
            }
        >
    , target : Optional < Directory : Text
        | S3 : { bucket : Text
            , ca : Optional Text
            , endpoint : Text
            , keyId : Text
            , prefix : Text
            , region : Text
            , secret : Text
            }
        >
    }
, stateDir : Text
, storeCache_MB : Natural
, transactions : < Accept : { answer : < Stored | Verdict : { wait_ms : Natural } >
        , group : Text
        , retention_h : Natural
        , waitingMax : Natural
        , waitingMax_MB : Natural
        }
    | Refuse
    >
, undoBlocks : Natural
}
