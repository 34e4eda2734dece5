>> {"jsonrpc":"2.0","id":1,"method":"debug_traceCall","params":[{"from":"0x2222222222222222222222222222222222222222","input":"0x5f"},"latest",{"tracer":"callTracer","tracerConfig":[]}]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"json: cannot unmarshal array into Go value of type native.callTracerConfig"}}
