{ brokers : List Text }
