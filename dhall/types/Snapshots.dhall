{ dueBelow_percent : Natural
, maxRate_MB_per_s : Optional Natural
, sources : List < Directory : Text
    | S3 : { bucket : Text
        , ca : Optional Text
        , endpoint : Text
        , keyId : Text
        , prefix : Text
        , region : Text
        , secret : Text
        }
    >
, target : Optional < Directory : Text
    | S3 : { bucket : Text
        , ca : Optional Text
        , endpoint : Text
        , keyId : Text
        , prefix : Text
        , region : Text
        , secret : Text
        }
    >
}
