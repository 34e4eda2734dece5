{ mechanism : < Plain | ScramSha256 | ScramSha512 >
, password : Text
, user : Text
}
