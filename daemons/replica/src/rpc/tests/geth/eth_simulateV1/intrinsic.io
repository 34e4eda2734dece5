>> {"jsonrpc":"2.0","id":1,"method":"eth_simulateV1","params":[{"blockStateCalls":[{"calls":[{"from":"0x9999999999999999999999999999999999999999","to":"0xc100000000000000000000000000000000000000","gas":"0x5207"}]}]},"latest"]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-38013,"message":"err: intrinsic gas too low: have 20999, want 21000 (supplied gas 20999)"}}
