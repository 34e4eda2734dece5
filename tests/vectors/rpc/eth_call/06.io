>> {"id":1,"jsonrpc":"2.0","method":"eth_call","params":[{"data":"0x0000000000000000000000000000000000000000000000000000000000000007","to":"0x00000961ef480eb55e80d19ad83579a64c007002"},"0x3f"]}
<< {"error":{"code":3,"data":"0x","message":"execution reverted"},"id":1,"jsonrpc":"2.0"}
