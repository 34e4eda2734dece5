>> {"id":1,"jsonrpc":"2.0","method":"eth_chainId","params":[]}
<< {"id":1,"jsonrpc":"2.0","result":"0x1b59"}
