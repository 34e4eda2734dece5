< Directory : Text >
