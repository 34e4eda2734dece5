>> {"id":1,"jsonrpc":"2.0","method":"eth_getUncleCountByBlockHash","params":["0x229ab90a32409cb5b0cf7664d3346781309419b9499d45be4ee4bccf5b0c740c"]}
<< {"id":1,"jsonrpc":"2.0","result":"0x0"}
