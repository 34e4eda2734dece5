>> {"id":1,"jsonrpc":"2.0","method":"net_listening","params":[]}
<< {"id":1,"jsonrpc":"2.0","result":true}
