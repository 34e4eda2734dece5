{ brokers : List Text
, sasl : Optional { mechanism : < Plain | ScramSha256 | ScramSha512 >
    , password : Text
    , user : Text
    }
, tls : Optional { ca : Optional Text, certificate : Optional Text, key : Optional Text }
}
