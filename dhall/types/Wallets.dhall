{ ca : Optional Text
, credential : Optional < Bearer : Text | Jwt : Text | Path : Text >
, replica : Text
, timeout_ms : Natural
}
