>> {"jsonrpc":"2.0","id":1,"method":"eth_estimateGas","params":[{"from":"0x0c2c51a0990aee1d73c1228de158688341557508","to":"0x9999999999999999999999999999999999999999","blobVersionedHashes":["0x0100000000000000000000000000000000000000000000000000000000000000"]},"latest",{},{"blobBaseFee":"0x64"}]}
<< {"jsonrpc":"2.0","id":1,"result":"0x5208"}
