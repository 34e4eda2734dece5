>> {"id":1,"jsonrpc":"2.0","method":"eth_getTransactionCount","params":["0xb7383125e6bb1d6992f6523ba1408a9488383c92","0x40"]}
<< {"id":1,"jsonrpc":"2.0","result":"0x0"}
