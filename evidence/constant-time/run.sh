#!/usr/bin/env bash
# sandi under valgrind with its secrets marked as undefined; fails when memcheck reports what explained.txt does not explain.
set -eu
cd "$(dirname "$0")"
command -v valgrind >/dev/null || { echo "needs valgrind"; exit 1; }
cargo build --quiet --release
reports=$(mktemp)
trap 'rm -f "$reports"' EXIT
valgrind -q --num-callers=40 --error-limit=no target/release/sandi-constant-time 2> "$reports"
target/release/explain < "$reports"
