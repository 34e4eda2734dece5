>> {"jsonrpc":"2.0","id":1,"method":"eth_estimateGas","params":[null]}
<< {"jsonrpc":"2.0","id":1,"result":"0xd221"}
