< Stored | Verdict : { wait_ms : Natural } >
