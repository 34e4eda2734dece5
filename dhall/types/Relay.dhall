{ accountMax_MB : Natural
, admin : { behindProxy : Bool, listen : Text }
, aheadMax : Natural
, bodyMax_MB : Natural
, builders : List { name : Text
    , pulls : Optional Text
    , push : Optional { address : Text
        , ahead : Natural
        , ca : Optional Text
        , credential : Optional < Bearer : Text | Jwt : Text | Path : Text >
        , dialect : < BuilderNet | Flashbots | Titan >
        , dryRun : Bool
        , key : Optional Text
        , lanes : Natural
        , orderMax_kB : Optional Natural
        , perSecond : Optional Natural
        , timeout_ms : Natural
        , txsMax : Optional Natural
        , wantsKey : Bool
        }
    }
, chain : { genesis : Optional Text, id : Natural, name : Text }
, enrols : List Text
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
, keyring : Text
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
, logging : { filter : Text, json : Bool }
, maxLagBlocks : Natural
, maxSilence_ms : Natural
, mempoolAfterBlocks : Optional Natural
, orderMax_MB : Natural
, ordersMax : Natural
, ordersMax_MB : Natural
, repeat_s : Natural
, simulation : { accountMgas_per_s : Natural
    , blockTime_s : Natural
    , codeCache_MB : Natural
    , failed : < Hold | Send >
    , queue : Natural
    , resultCache_MB : Natural
    , threads : Natural
    , timeout_ms : Natural
    }
, stateDir : Text
, storeCache_MB : Natural
, undoBlocks : Natural
, wallets : Optional { ca : Optional Text
    , credential : Optional < Bearer : Text | Jwt : Text | Path : Text >
    , replica : Text
    , timeout_ms : Natural
    }
}
