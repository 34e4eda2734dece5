>> {"jsonrpc":"2.0","id":1,"method":"debug_traceCall","params":[{"from":"0x2222222222222222222222222222222222222222"},"latest",{}]}
<< {"jsonrpc":"2.0","id":1,"result":{"gas":53000,"failed":false,"returnValue":"0x","structLogs":[]}}
