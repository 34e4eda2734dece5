>> {"jsonrpc":"2.0","id":1,"method":"debug_traceCall","params":[{"from":"0x2222222222222222222222222222222222222222","input":"0x5f"},"latest",{"limit":-1}]}
<< {"jsonrpc":"2.0","id":1,"result":{"gas":53020,"failed":false,"returnValue":"0x","structLogs":[]}}
