>> {"id":1,"jsonrpc":"2.0","method":"eth_getBalance","params":["0xba1a00ce00000000000000000000000000000001","safe"]}
<< {"id":1,"jsonrpc":"2.0","result":"0x3039"}
