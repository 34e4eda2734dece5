{ genesis : Optional Text, id : Natural, name : Text }
