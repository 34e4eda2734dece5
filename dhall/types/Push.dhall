{ address : Text
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
