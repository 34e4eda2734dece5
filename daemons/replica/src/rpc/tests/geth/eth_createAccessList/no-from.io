>> {"jsonrpc":"2.0","id":1,"method":"eth_createAccessList","params":[{"to":"0x9999999999999999999999999999999999999999"}]}
<< {"jsonrpc":"2.0","id":1,"result":{"accessList":[],"gasUsed":"0x5208"}}
