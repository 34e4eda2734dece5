< All | Blocks : Natural >
