>> {"id":1,"jsonrpc":"2.0","method":"eth_getUncleCountByBlockHash","params":["0x5ea73628624da1c0b700db66115ad365037385aed8ad7f86e8221bf664fb4a08"]}
<< {"id":1,"jsonrpc":"2.0","result":"0x0"}
