{ certificateLeft_d : Natural
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
