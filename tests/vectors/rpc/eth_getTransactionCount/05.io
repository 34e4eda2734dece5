>> {"id":1,"jsonrpc":"2.0","method":"eth_getTransactionCount","params":["0x99e890cf97818998ea7afd5a3770e6b9614a2397","0x3f"]}
<< {"id":1,"jsonrpc":"2.0","result":"0x1"}
