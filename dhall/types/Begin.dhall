< Genesis | Spool >
