< Directory : Text
| S3 : { bucket : Text
    , ca : Optional Text
    , endpoint : Text
    , keyId : Text
    , prefix : Text
    , region : Text
    , secret : Text
    }
>
