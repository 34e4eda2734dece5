>> {"jsonrpc":"2.0","id":1,"method":"eth_createAccessList","params":[{"from":"0x0c2c51a0990aee1d73c1228de158688341557508","to":"0x1234000000000000000000000000000000001234","gasPrice":"0x0"},"latest",{"0x1234000000000000000000000000000000001234":{"code":"0x60016000556001600155"}}]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"gasPrice must be non-zero after london fork"}}
