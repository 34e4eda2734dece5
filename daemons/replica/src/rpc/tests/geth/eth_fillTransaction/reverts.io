>> {"jsonrpc":"2.0","id":1,"method":"eth_fillTransaction","params":[{"from":"0x0c2c51a0990aee1d73c1228de158688341557508","to":"0x17e7eedce4ac02ef114a7ed9fe6e2f33feba1667","input":"0xff030405"}]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":3,"message":"execution reverted","data":"0x77726f6e672d63616c6c6461746173697a65"}}
