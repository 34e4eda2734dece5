{ answerTimeout_ms : Natural
, batchMax : Natural
, behindProxy : Bool
, blockCache_MB : Natural
, bodyMax_bytes : Natural
, callGasCap : Natural
, callInline_us : Natural
, callTimeout_ms : Natural
, codeCache_MB : Natural
, connectionsMax : Natural
, drain_ms : Natural
, listen : Text
, logsMax : Natural
, messagesMax : Natural
, ping_ms : Natural
, poolQueue : Natural
, poolThreads : Optional Natural
, readTimeout_ms : Natural
, responseMax_bytes : Natural
, subscriptionsMax : Natural
, writeTimeout_ms : Natural
}
