>> {"jsonrpc":"2.0","id":1,"method":"eth_estimateGas","params":[{"from":"0x0c2c51a0990aee1d73c1228de158688341557508","to":"0x1234000000000000000000000000000000001234","maxFeePerGas":"0x3b9aca00","maxPriorityFeePerGas":"0x1"},"latest",{"0x1234000000000000000000000000000000001234":{"code":"0x60016000556001600155"}}]}
<< {"jsonrpc":"2.0","id":1,"result":"0x10206"}
