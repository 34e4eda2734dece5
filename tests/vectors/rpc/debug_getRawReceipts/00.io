>> {"id":1,"jsonrpc":"2.0","method":"debug_getRawReceipts","params":["0x0"]}
<< {"id":1,"jsonrpc":"2.0","result":[]}
