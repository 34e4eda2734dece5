>> {"id":1,"jsonrpc":"2.0","method":"eth_getBlockTransactionCountByHash","params":["0x140c8f1df99c3def95cdd81619144a5c9d208a7a60dd273531b1f80cac63ad2f"]}
<< {"id":1,"jsonrpc":"2.0","result":"0x5"}
