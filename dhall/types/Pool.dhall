{ max_MB : Natural }
