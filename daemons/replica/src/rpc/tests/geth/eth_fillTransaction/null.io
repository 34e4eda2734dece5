>> {"jsonrpc":"2.0","id":1,"method":"eth_fillTransaction","params":[null]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"contract creation without any data provided"}}
