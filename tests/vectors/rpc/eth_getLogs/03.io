>> {"id":1,"jsonrpc":"2.0","method":"eth_getLogs","params":[{"blockHash":"0x612b6309bf860747bffe33feee252e3176594ce814a372bf616bf2d63056dc46"}]}
<< {"id":1,"jsonrpc":"2.0","result":[]}
