>> {"id":1,"jsonrpc":"2.0","method":"eth_getTransactionCount","params":["0x5be1b9e61a0dbf288be1e1d57c7b944803d8ecf1","0x0"]}
<< {"id":1,"jsonrpc":"2.0","result":"0x0"}
