{ name : Text
, pulls : Optional Text
, push : Optional { address : Text
    , ahead : Natural
    , ca : Optional Text
    , credential : Optional < Bearer : Text | Jwt : Text | Path : Text >
    , dialect : < BuilderNet | Flashbots | Titan >
    , key : Optional Text
    , lanes : Natural
    , timeout_ms : Natural
    }
}
