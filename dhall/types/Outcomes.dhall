{ keep_h : Natural }
