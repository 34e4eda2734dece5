>> {"id":1,"jsonrpc":"2.0","method":"net_version","params":[]}
<< {"id":1,"jsonrpc":"2.0","result":"7001"}
