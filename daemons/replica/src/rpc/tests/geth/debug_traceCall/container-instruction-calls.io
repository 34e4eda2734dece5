>> {"jsonrpc":"2.0","id":1,"method":"debug_traceCall","params":[{"from":"0x2222222222222222222222222222222222222222","input":"0xd2"},"latest",{"tracer":"callTracer"}]}
<< {"jsonrpc":"2.0","id":1,"result":{"from":"0x2222222222222222222222222222222222222222","gas":"0x2faf080","gasUsed":"0x2faf080","input":"0xd2","error":"invalid opcode: DATASIZE","value":"0x0","type":"CREATE"}}
