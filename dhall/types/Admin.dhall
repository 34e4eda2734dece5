{ listen : Text }
