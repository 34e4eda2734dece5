{ ca : Optional Text, certificate : Optional Text, key : Optional Text }
