>> {"id":1,"jsonrpc":"2.0","method":"eth_blockNumber","params":[]}
<< {"id":1,"jsonrpc":"2.0","result":"0x40"}
