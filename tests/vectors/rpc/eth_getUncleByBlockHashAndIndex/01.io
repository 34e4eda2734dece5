>> {"id":1,"jsonrpc":"2.0","method":"eth_getUncleByBlockHashAndIndex","params":["0x4d016a4ae9d61a6b0661e9f30457aed13461061565543af913e0a40bd29b2e7f","0x1"]}
<< {"id":1,"jsonrpc":"2.0","result":null}
