{ answerTimeout_ms : Natural
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
