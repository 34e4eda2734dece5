>> {"jsonrpc":"2.0","id":1,"method":"eth_fillTransaction","params":[{"from":"0x0c2c51a0990aee1d73c1228de158688341557508","to":"0x9999999999999999999999999999999999999999","blobs":[]}]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"need at least 1 blob for a blob transaction"}}
