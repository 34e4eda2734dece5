>> {"id":1,"jsonrpc":"2.0","method":"eth_getUncleCountByBlockHash","params":["0x758c46775a8448f65e3fc906d12c82c21ae37875394edfaa83b8bd4b8710d6cd"]}
<< {"id":1,"jsonrpc":"2.0","result":"0x0"}
