{ log : < Kafka : { brokers : List Text } | Segment : { dir : Text } >
, name : Text
, prefix : Text
}
