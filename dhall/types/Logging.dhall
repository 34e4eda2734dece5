{ filter : Text, json : Bool }
