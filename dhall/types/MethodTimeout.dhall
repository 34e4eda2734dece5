{ method : Text, timeout_ms : Natural }
