>> {"id":1,"jsonrpc":"2.0","method":"eth_getBalance","params":["0x0000000000000000000000000000000000010342","0x0"]}
<< {"id":1,"jsonrpc":"2.0","result":"0x0"}
