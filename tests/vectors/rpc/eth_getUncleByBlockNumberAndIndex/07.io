>> {"id":1,"jsonrpc":"2.0","method":"eth_getUncleByBlockNumberAndIndex","params":["0x38","0x0"]}
<< {"id":1,"jsonrpc":"2.0","result":null}
