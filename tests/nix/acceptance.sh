#!/usr/bin/env bash
# What must be true of a machine with a tap and a replica called `main`, whoever installed them. Run on it as root, by the
# NixOS test and by the suite's container alike. The replica answers on 127.0.0.1:8545.
set -euo pipefail

tap=maidenlane-tap@main.service
replica=maidenlane-replica@main.service

fail() {
    echo "acceptance: $*" >&2
    journalctl --no-pager --lines=40 --unit="$tap" --unit="$replica" >&2
    exit 1
}

property() { systemctl show --property="$2" --value "$1"; }

# Waits for a minute until a command succeeds.
eventually() {
    for _ in $(seq 120); do
        if "$@"; then return 0; fi
        sleep 0.5
    done
    fail "never true: $*"
}

answers() {
    local body='{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}'
    exec 3<>/dev/tcp/127.0.0.1/8545 || return 1
    printf 'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %s\r\n\r\n%s' \
        "${#body}" "$body" >&3
    grep --quiet '"result":"0x' <&3
    local found=$?
    exec 3>&-
    return "$found"
}

following() { [[ $(property "$replica" StatusText) == *"block "* ]]; }
restarted() { [[ $(property "$1" NRestarts) -ge 1 && $(property "$1" ActiveState) == active ]]; }

# A start returns when the service is fit.
timeout 90 systemctl start "$tap" "$replica" || fail "they do not start"
for unit in "$tap" "$replica"; do
    [[ $(property "$unit" ActiveState) == active ]] || fail "$unit is not active"
    [[ $(property "$unit" DynamicUser) == yes ]] || fail "$unit has no user of its own"
done
eventually following
eventually answers

# A reload keeps the process.
before=$(property "$replica" MainPID)
systemctl reload "$replica" || fail "it does not reload"
[[ $(property "$replica" MainPID) == "$before" ]] || fail "a reload restarted it"

# What is killed comes back, and goes on.
systemctl kill --signal=KILL "$tap" "$replica"
eventually restarted "$tap"
eventually restarted "$replica"
eventually answers

for unit in "$tap" "$replica"; do
    systemd-analyze security --no-pager --threshold=12 "$unit" >/dev/null || fail "$unit is too open"
done
systemctl stop "$replica" "$tap"
[[ $(property "$replica" Result) == success ]] || fail "the replica did not stop cleanly"
echo "acceptance: all true"
