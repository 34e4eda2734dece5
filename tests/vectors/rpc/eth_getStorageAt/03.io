>> {"id":1,"jsonrpc":"2.0","method":"eth_getStorageAt","params":["0x741e33c0cc64e8eca7364ba6d3d2d8afefe62c01","0x0","0x20"]}
<< {"id":1,"jsonrpc":"2.0","result":"0x0000000000000000000000000000000000000000000000000000000000000000"}
