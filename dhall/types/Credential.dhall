< Bearer : Text | Jwt : Text | Path : Text >
