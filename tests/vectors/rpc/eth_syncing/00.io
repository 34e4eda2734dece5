>> {"id":1,"jsonrpc":"2.0","method":"eth_syncing","params":[]}
<< {"id":1,"jsonrpc":"2.0","result":false}
