>> {"id":1,"jsonrpc":"2.0","method":"eth_getBlockTransactionCountByHash","params":["0x496acf257654c9cd88c77ab1e0dd1e085b13c1be69e578a38ecbf4402a0b9b55"]}
<< {"id":1,"jsonrpc":"2.0","result":"0x5"}
