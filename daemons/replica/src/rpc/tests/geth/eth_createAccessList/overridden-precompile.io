>> {"jsonrpc":"2.0","id":1,"method":"eth_createAccessList","params":[{"from":"0x0c2c51a0990aee1d73c1228de158688341557508","to":"0x0000000000000000000000000000000000000002","input":"0x12"},"latest",{"0x0000000000000000000000000000000000000002":{"code":"0x60016000556001600155"}}]}
<< {"jsonrpc":"2.0","id":1,"result":{"accessList":[],"gasUsed":"0x5260"}}
