< Genesis | Spool | UnsafeSpool >
