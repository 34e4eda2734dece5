>> {"jsonrpc":"2.0","id":1,"method":"eth_createAccessList","params":[{"from":"0x0c2c51a0990aee1d73c1228de158688341557508","to":"0x1234000000000000000000000000000000001234","input":"0x1234"},"latest",{"0x1234000000000000000000000000000000001234":{"code":"0x366000600037366000fd"}}]}
<< {"jsonrpc":"2.0","id":1,"result":{"accessList":[],"error":"execution reverted","gasUsed":"0x5258"}}
