#!/usr/bin/env bash
# The callers of the C ABI: C, C++, Python and Java, each in a conversation with sandi-peer; C and C++ under
# AddressSanitizer and UBSan, and under valgrind. Says what it leaves out. Arguments: a peer's command, instead of
# sandi-peer's.
set -eu
cd "$(dirname "$0")/.."
export PYTHONDONTWRITEBYTECODE=1
target=${CARGO_TARGET_DIR:-target}
out=$target/ffi-callers
mkdir -p "$out"

cargo build --quiet -p sandi-ffi -p sandi-interop --lib --bin sandi-peer
library=$(cd "$target/debug" && pwd)
peer=("$library/sandi-peer")
[ $# -eq 0 ] || peer=("$@")
link=(-L "$library" -lsandi_ffi "-Wl,-rpath,$library")
warnings=(-Wall -Wextra -Wpedantic -Werror -I ffi/include)
sanitizers=(-fsanitize=address,undefined -fno-sanitize-recover=all)

has() { command -v "$1" >/dev/null; }
skip() { echo "skipped: $1"; }
converse() { # converse NAME COMMAND...
  echo "--- $1"
  shift
  python3 ffi/tests/relay.py "${peer[@]}" -- "$@"
}

compile() { # compile COMPILER STANDARD SOURCE OUTPUT FLAGS...
  local compiler=$1 standard=$2 source=$3 output=$4
  shift 4
  "$compiler" "-std=$standard" "${warnings[@]}" -g -O1 "$@" "$source" -o "$output" "${link[@]}" -pthread
}

for family in gcc clang; do
  has $family || { skip "$family: not installed"; continue; }
  cc=$family cxx=g++
  [ $family = gcc ] || cxx=clang++
  compile $cc c11 ffi/tests/c/conversation.c "$out/c-$family" "${sanitizers[@]}"
  converse "C ($family, AddressSanitizer, UBSan)" "$out/c-$family"
  if has $cxx; then
    compile $cxx c++17 ffi/tests/cpp/conversation.cpp "$out/cpp-$family" "${sanitizers[@]}"
    converse "C++ ($cxx, AddressSanitizer, UBSan)" "$out/cpp-$family"
  else
    skip "$cxx: not installed"
  fi
done

if has gcc && has valgrind; then
  compile gcc c11 ffi/tests/c/conversation.c "$out/c-plain"
  converse "C under valgrind" valgrind --quiet --leak-check=full --errors-for-leak-kinds=definite,indirect \
    --error-exitcode=9 "$out/c-plain"
else
  skip "valgrind: not installed"
fi

# The static library needs nothing but the system's.
if has gcc; then
  "gcc" -std=c11 "${warnings[@]}" ffi/tests/c/conversation.c "$library/libsandi_ffi.a" -o "$out/c-static" -pthread -ldl -lm
  converse "C, static library" "$out/c-static"
fi

if has clang; then
  echo "--- module map"
  echo '@import Sandi; int main(void) { return sandi_abi_version() != SANDI_ABI_VERSION; }' >"$out/module.m"
  clang -fmodules "-fmodules-cache-path=$out/modules" -I ffi/include -fsyntax-only -x objective-c "$out/module.m"
  # and from C++, as Swift's importer for C++ does
  clang -fmodules "-fmodules-cache-path=$out/modules" -I ffi/include -fsyntax-only -x objective-c++ "$out/module.m"
else
  skip "module map: clang is not installed"
fi
has swiftc || skip "Swift: swiftc is not installed; the module map is checked by clang"

echo "--- Python"
python3 ffi/tests/python/conversation.py "$(ls "$library"/libsandi_ffi.{so,dylib} 2>/dev/null | head -n 1)" "${peer[@]}"

jna=${JNA_JAR:-/usr/share/java/jna.jar}
if has javac && [ -f "$jna" ]; then
  javac -encoding UTF-8 -cp "$jna" -d "$out/java" ffi/tests/java/Conversation.java
  converse "Java ($(javac -version 2>&1), JNA)" java "-Djna.library.path=$library" "-Djna.tmpdir=$out" \
    -cp "$jna:$out/java" Conversation sandi_ffi
else
  skip "Java: needs javac and JNA (Debian: libjna-java; or JNA_JAR=FILE)"
fi
