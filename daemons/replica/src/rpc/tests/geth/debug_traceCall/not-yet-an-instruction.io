>> {"jsonrpc":"2.0","id":1,"method":"debug_traceCall","params":[{"from":"0x2222222222222222222222222222222222222222","input":"0x5f"},"0x5",{}]}
<< {"jsonrpc":"2.0","id":1,"result":{"gas":50000000,"failed":true,"returnValue":"0x","structLogs":[{"pc":0,"op":"PUSH0","gas":49946932,"gasCost":0,"depth":1,"stack":[]}]}}
