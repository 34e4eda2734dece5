{ certificate : Text, clientCa : Optional Text, key : Text }
