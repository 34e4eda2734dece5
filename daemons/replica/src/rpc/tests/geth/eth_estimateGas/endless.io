>> {"jsonrpc":"2.0","id":1,"method":"eth_estimateGas","params":[{"from":"0x0c2c51a0990aee1d73c1228de158688341557508","to":"0x1234000000000000000000000000000000001234","gas":"0x186a0"},"latest",{"0x1234000000000000000000000000000000001234":{"code":"0x5b600056"}}]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"gas required exceeds allowance (100000)"}}
