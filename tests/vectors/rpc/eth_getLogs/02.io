>> {"id":1,"jsonrpc":"2.0","method":"eth_getLogs","params":[{"blockHash":"0x6c2e857dc2556b8ab790d24df9ff3bf50886655a3e4be0f6098e1702126d53a1"}]}
<< {"id":1,"jsonrpc":"2.0","result":[]}
