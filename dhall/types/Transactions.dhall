< Accept : { answer : < Stored | Verdict : { wait_ms : Natural } >
    , group : Text
    , retention_h : Natural
    , waitingMax : Natural
    , waitingMax_MB : Natural
    }
| Refuse
>
