< Bearer : Text | Certificate : Text | Jwt : Text >
