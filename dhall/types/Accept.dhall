{ group : Text, retention_h : Natural }
