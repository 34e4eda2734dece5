{ degraded_percent : Natural
, dwell_ms : Natural
, fall : Natural
, floor : Natural
, interval_ms : Natural
, limits : { certificateLeft_d : Natural
    , clock_ms : Natural
    , diskFree_percent : Natural
    , diskLeft_h : Natural
    , errors_percent : Natural
    , forkAfterBlocks : Optional Natural
    , headAge_ms : Optional Natural
    , lagBlocks : Optional Natural
    , latency_ms : Natural
    , maxSilence_ms : Natural
    , mayHalt : Bool
    , peersMin : Natural
    }
, name : Text
, rise : Natural
, targets : List { admin : Optional Text
    , ca : Optional Text
    , credential : Optional < Bearer : Text | Jwt : Text | Path : Text >
    , feed : Optional Text
    , name : Text
    , probe : < Beacon : Text | Daemon : Text | Feed : Text | Node : Text | Replica : Text >
    , serves : Optional Text
    , trusted : Bool
    }
, timeout_ms : Natural
}
