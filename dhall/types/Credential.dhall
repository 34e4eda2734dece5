< Bearer : Text | Jwt : Text >
