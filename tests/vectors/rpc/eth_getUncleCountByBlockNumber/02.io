>> {"id":1,"jsonrpc":"2.0","method":"eth_getUncleCountByBlockNumber","params":["0x10"]}
<< {"id":1,"jsonrpc":"2.0","result":"0x0"}
