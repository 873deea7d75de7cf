#!/usr/bin/env bash
# Installs the peers that the interop tests talk to, outside the tree:
# into $SANDI_PEERS, or sandi-peers in the cache directory. Does nothing for a peer that is there already in the
# locked versions. Needs node 20 or newer and npm. Exits non-zero if a peer could not be had, and says which.
set -u

here=$(cd "$(dirname "$0")" && pwd)
target=${SANDI_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/sandi-peers}
failed=()

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
  echo "install-peers: node and npm are needed, and at least one of them is missing" >&2
  exit 1
fi
if ! node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)'; then
  echo "install-peers: node $(node --version) is too old, 20 or newer is needed" >&2
  exit 1
fi

for peer in libsignal libsignal-node; do
  source=$here/peers/$peer
  folder=$target/$peer
  # The drivers are small and may have changed: always copied. The packages only when the lock file has.
  mkdir -p "$folder" || { failed+=("$peer"); continue; }
  cp "$source"/*.mjs "$source"/package.json "$source"/package-lock.json "$folder"/ || { failed+=("$peer"); continue; }
  [ ! -f "$source/.npmrc" ] || cp "$source/.npmrc" "$folder"/
  stamp=$(cat "$source/package.json" "$source/package-lock.json" | sha256sum | cut -d' ' -f1)
  if [ -d "$folder/node_modules" ] && [ "$(cat "$folder/.stamp" 2>/dev/null)" = "$stamp" ]; then
    echo "install-peers: $peer is there"
    continue
  fi
  rm -f "$folder/.stamp"
  if (cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund </dev/null); then
    echo "$stamp" >"$folder/.stamp"
    echo "install-peers: $peer installed in $folder"
  else
    failed+=("$peer")
  fi
done

if [ ${#failed[@]} -gt 0 ]; then
  echo "install-peers: could not install: ${failed[*]}" >&2
  exit 1
fi
