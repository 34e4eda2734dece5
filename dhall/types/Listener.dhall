{ access : List { callsPerSecond : Optional Natural
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
