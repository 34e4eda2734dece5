>> {"id":1,"jsonrpc":"2.0","method":"eth_getBlockTransactionCountByHash","params":["0xc38e9d1484c30a54bc644b430afbd35e0c729233302717cb03082c10d94dca8b"]}
<< {"id":1,"jsonrpc":"2.0","result":"0x5"}
