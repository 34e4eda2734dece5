>> {"jsonrpc":"2.0","id":1,"method":"eth_fillTransaction","params":[{"from":"0x0c2c51a0990aee1d73c1228de158688341557508","to":"0x9999999999999999999999999999999999999999","data":"0x12","input":"0x13"}]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"both \"data\" and \"input\" are set and not equal. Please use \"input\" to pass transaction call data"}}
