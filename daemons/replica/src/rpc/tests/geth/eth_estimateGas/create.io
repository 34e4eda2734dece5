>> {"jsonrpc":"2.0","id":1,"method":"eth_estimateGas","params":[{"from":"0x0c2c51a0990aee1d73c1228de158688341557508","input":"0x60aa60005360016000f3"}]}
<< {"jsonrpc":"2.0","id":1,"result":"0xd387"}
