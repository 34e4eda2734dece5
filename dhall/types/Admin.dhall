{ behindProxy : Bool, listen : Text }
