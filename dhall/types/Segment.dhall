{ dir : Text }
