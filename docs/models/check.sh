#!/usr/bin/env bash
# Runs every model and compares its verdicts with the expected ones: c confidentiality, a authentication; 0 holds, 1 attack.
set -u
cd "$(dirname "$0")" || exit 1
result=0
while read -r model sessions expected; do
  code=$(verifpal verify "$model.vp" --sessions "$sessions" --result-code --quiet | tail -n 1)
  if [ "$code" = "$expected" ]; then
    echo "$model: $code"
  else
    echo "$model: $code, expected $expected"
    result=1
  fi
done <<'EXPECTED'
x3dh 2 c0a0
x3dh_recorded 2 c0c1
x3dh_lying_server 2 c1
pqxdh 2 c1c0
double_ratchet 2 c0c1c0
sender_keys 1 c0c1a0
sealed_sender 2 c1c1a1
EXPECTED
exit "$result"
