>> {"jsonrpc":"2.0","id":1,"method":"eth_fillTransaction","params":[{"from":"0x0c2c51a0990aee1d73c1228de158688341557508","to":"0x9999999999999999999999999999999999999999","gas":"0x5208","chainId":"0x1"}]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"chainId does not match node's (have=1, want=3503995874084926)"}}
