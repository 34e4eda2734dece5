>> {"id":1,"jsonrpc":"2.0","method":"eth_getCode","params":["0x000000000000000000000000000000000001036f","0x20"]}
<< {"id":1,"jsonrpc":"2.0","result":"0x"}
