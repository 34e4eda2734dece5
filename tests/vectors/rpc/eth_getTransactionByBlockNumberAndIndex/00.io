>> {"id":1,"jsonrpc":"2.0","method":"eth_getTransactionByBlockNumberAndIndex","params":["0x0","0x0"]}
<< {"id":1,"jsonrpc":"2.0","result":null}
