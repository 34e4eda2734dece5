{ callsPerSecond : Optional Natural
, maySend : Bool
, name : Text
, namespaces : Optional (List Text)
, proof : < Bearer : Text | Certificate : Text | Jwt : Text >
, seesAll : Bool
, tag : Optional Text
}
