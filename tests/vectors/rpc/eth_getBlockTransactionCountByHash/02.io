>> {"id":1,"jsonrpc":"2.0","method":"eth_getBlockTransactionCountByHash","params":["0xf6eff48cf881b4c307703575671c4e5ea70c9277a5e032fa2bde8778ed2da477"]}
<< {"id":1,"jsonrpc":"2.0","result":"0x3"}
