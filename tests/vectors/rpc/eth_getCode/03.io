>> {"id":1,"jsonrpc":"2.0","method":"eth_getCode","params":["0x741e33c0cc64e8eca7364ba6d3d2d8afefe62c01","0x20"]}
<< {"id":1,"jsonrpc":"2.0","result":"0x366000600037600036600034f560006000600060006000855af100"}
