>> {"id":1,"jsonrpc":"2.0","method":"eth_getUncleCountByBlockHash","params":["0x4940da2518c71e588763c5006ef70cc7f55b218fbcf9f5e117d436bcf508bd12"]}
<< {"id":1,"jsonrpc":"2.0","result":"0x0"}
