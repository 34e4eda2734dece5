{ behindProxy : Bool, listen : Text, ttl_s : Natural, zone : Text }
