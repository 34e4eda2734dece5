>> {"jsonrpc":"2.0","id":1,"method":"eth_estimateGas","params":[{"from":"0x0c2c51a0990aee1d73c1228de158688341557508","to":"0x1234000000000000000000000000000000001234"},"latest",{},{"withdrawals":[]}]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"block override \"withdrawals\" is not supported for this RPC method"}}
