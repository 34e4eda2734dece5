{ name : Text, pulls : Optional Text }
