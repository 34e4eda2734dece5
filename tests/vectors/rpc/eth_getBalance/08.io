>> {"id":1,"jsonrpc":"2.0","method":"eth_getBalance","params":["0x149ec067a3c364728ccdf7ec4e20455494179ef4","0x40"]}
<< {"id":1,"jsonrpc":"2.0","result":"0xd3c21bd1bbb148b32831"}
