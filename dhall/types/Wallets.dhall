{ ca : Optional Text
, credential : Optional < Bearer : Text | Jwt : Text >
, replica : Text
, timeout_ms : Natural
}
