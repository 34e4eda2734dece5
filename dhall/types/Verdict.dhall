{ wait_ms : Natural }
