{ maxRate_MB_per_s : Optional Natural
, sources : List < Directory : Text >
, target : Optional < Directory : Text >
}
