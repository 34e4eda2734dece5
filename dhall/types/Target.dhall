{ admin : Optional Text
, ca : Optional Text
, credential : Optional < Bearer : Text | Jwt : Text | Path : Text >
, feed : Optional Text
, name : Text
, probe : < Beacon : Text | Daemon : Text | Feed : Text | Node : Text | Replica : Text >
, serves : Optional Text
, trusted : Bool
}
