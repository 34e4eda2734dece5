< Kafka : { brokers : List Text } | Segment : { dir : Text } >
