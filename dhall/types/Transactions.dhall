< Accept : { group : Text, retention_h : Natural } | Refuse >
