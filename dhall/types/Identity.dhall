{ callsPerSecond : Optional Natural
, maySend : Bool
, name : Text
, namespaces : Optional (List Text)
, proof : < Bearer : Text | Certificate : Text | Jwt : Text >
, requests_MB_per_min : Optional Natural
, seesAll : Bool
, tag : Optional Text
}
