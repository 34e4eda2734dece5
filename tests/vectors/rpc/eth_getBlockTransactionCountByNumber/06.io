>> {"id":1,"jsonrpc":"2.0","method":"eth_getBlockTransactionCountByNumber","params":["0x30"]}
<< {"id":1,"jsonrpc":"2.0","result":"0x5"}
