{ accountMgas_per_s : Natural
, blockTime_s : Natural
, codeCache_MB : Natural
, failed : < Hold | Send >
, queue : Natural
, resultCache_MB : Natural
, threads : Natural
, timeout_ms : Natural
}
