{ address : Text
, ca : Optional Text
, credential : Optional < Bearer : Text | Jwt : Text | Path : Text >
, lanes : Natural
, name : Text
, perSecond : Optional Natural
, queueMax : Natural
, timeout_ms : Natural
}
