>> {"jsonrpc":"2.0","id":1,"method":"eth_simulateV1","params":[{"blockStateCalls":[{"stateOverrides":{"0x00000961ef480eb55e80d19ad83579a64c007002":{"code":"0x5f5ffd"}},"calls":[]}]},"latest"]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"failed to process withdrawal queue: system call failed to execute: execution reverted"}}
