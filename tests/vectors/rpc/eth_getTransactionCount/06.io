>> {"id":1,"jsonrpc":"2.0","method":"eth_getTransactionCount","params":["0x00000961ef480eb55e80d19ad83579a64c007002","0x3f"]}
<< {"id":1,"jsonrpc":"2.0","result":"0x1"}
