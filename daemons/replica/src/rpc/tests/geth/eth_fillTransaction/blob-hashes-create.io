>> {"jsonrpc":"2.0","id":1,"method":"eth_fillTransaction","params":[{"from":"0x0c2c51a0990aee1d73c1228de158688341557508","input":"0x00","blobVersionedHashes":["0x0100000000000000000000000000000000000000000000000000000000000000"]}]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"missing \"to\" in blob transaction"}}
