>> {"id":1,"jsonrpc":"2.0","method":"eth_getCode","params":["0xed5a6368ca115364ba151df053ad55ed31a3ea7e","0x0"]}
<< {"id":1,"jsonrpc":"2.0","result":"0x"}
