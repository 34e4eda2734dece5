>> {"jsonrpc":"2.0","id":1,"method":"debug_traceCall","params":[{"from":"0x2222222222222222222222222222222222222222","input":"0x600187"},"latest",{"tracer":"callTracer"}]}
<< {"jsonrpc":"2.0","id":1,"result":{"from":"0x2222222222222222222222222222222222222222","gas":"0x2faf080","gasUsed":"0x2faf080","input":"0x600187","error":"stack underflow (1 \u003c=\u003e 8)","value":"0x0","type":"CREATE"}}
