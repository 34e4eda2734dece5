>> {"id":1,"jsonrpc":"2.0","method":"net_peerCount","params":[]}
<< {"id":1,"jsonrpc":"2.0","result":"0x0"}
