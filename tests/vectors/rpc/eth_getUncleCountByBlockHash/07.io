>> {"id":1,"jsonrpc":"2.0","method":"eth_getUncleCountByBlockHash","params":["0x9ade7bcd9de6ef39f82ec0daaa850c580bff59bde389fc0bff53bb2f3ab18e18"]}
<< {"id":1,"jsonrpc":"2.0","result":"0x0"}
