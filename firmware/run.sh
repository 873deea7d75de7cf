#!/usr/bin/env bash
# Builds the image, runs it in QEMU, prints what it takes, and fails when that is over the budget.
set -eu
cd "$(dirname "$0")"
command -v qemu-system-arm >/dev/null || { echo "needs qemu-system-arm"; exit 1; }
rustup target add thumbv7em-none-eabihf >/dev/null 2>&1 || true

# image FEATURES FLASH HEAP STACK: the budgets in bytes
image() {
  cargo build --quiet --release --features "$1"
  local elf=target/thumbv7em-none-eabihf/release/sandi-firmware output flash heap stack
  # what is loaded into flash: the file sizes of the segments
  flash=0
  for size in $(readelf -lW "$elf" | awk '$1 == "LOAD" { print $5 }'); do flash=$((flash + size)); done
  output=$(timeout 120 qemu-system-arm -M mps2-an386 -cpu cortex-m4 -nographic \
    -semihosting-config enable=on,target=native -kernel "$elf")
  echo "$output"
  echo "$output" | grep -q "every message arrived" || return 1
  heap=$(echo "$output" | sed -n 's/.*peak \([0-9]*\) B.*/\1/p' | sort -n | tail -n 1)
  stack=$(echo "$output" | sed -n 's/.*stack \([0-9]*\) B.*/\1/p' | sort -n | tail -n 1)
  echo "${1:-all versions}: flash $flash B of $2, heap $heap B of $3, stack $stack B of $4"
  [ "$flash" -le "$2" ] && [ "$heap" -le "$3" ] && [ "$stack" -le "$4" ]
}

image "" 460000 48000 68000
image v3-only 460000 17000 24000
