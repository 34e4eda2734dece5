{ from : Natural
, rate_kBps : Natural
, sources : List < Era : Text | Export : Text | Node : Text >
}
