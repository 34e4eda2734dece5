#!/usr/bin/env bash
# Runs one fuzz target for so many seconds, from the golden bytes on. Needs no cargo-fuzz: the flags are the ones it
# sets, less the address sanitizer, which safe code hardly needs. Exit code 0 = nothing found.
set -euo pipefail
target=${1:?usage: run.sh record|frame|parts|nodes|block [seconds]}
seconds=${2:-60}
cd "$(dirname "$0")"
work=${CARGO_TARGET_DIR:-target}
corpus=$work/corpus/$target
mkdir -p "$corpus" "$work/artifacts"
for golden in ../../daemons/lib/wire/golden/*.txt; do
    head -n 1 "$golden" | xxd -r -p >"$corpus/golden-$(basename "$golden" .txt)"
done
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
# Coverage flags are stable; a name for the host keeps them away from build scripts.
host=$(rustc -vV | sed -n 's/^host: //p')
cargo build --release --quiet --target "$host" --bin "$target"
"$work/$host/release/$target" -max_total_time="$seconds" -rss_limit_mb=1024 -timeout=10 -print_final_stats=1 \
    -artifact_prefix="$work/artifacts/" "$corpus"
