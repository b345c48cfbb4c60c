#!/bin/sh
# Builds the example of each kit, or with --check compares the committed modules
# with what their source builds.
#
#   sdk/build.sh [--check] [rust|assemblyscript|c|go]...
#
# A module is the same byte for byte only from the same compiler, so each is
# pinned here. Another version, or none, is a skip with its reason; with
# EDGEREEL_TOOLCHAINS=required it is a failure.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
check=
if [ "${1-}" = --check ]; then
  check=yes
  shift
fi
languages=${*:-rust assemblyscript c go}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
status=0

# pinned LANGUAGE WANTED FOUND: whether the compiler is the one of the committed module.
pinned() {
  case $3 in
  "$2"*) return 0 ;;
  esac
  if [ "${EDGEREEL_TOOLCHAINS-}" = required ]; then
    echo "$1: needs $2, found ${3:-none}: run sdk/install.sh $1" >&2
    status=1
  else
    echo "$1: skipped, needs $2, found ${3:-none}"
  fi
  return 1
}

# Debian's compiler, which has the library for wasm32, before any other.
rust_compiler() {
  if [ -x /usr/bin/rustc ]; then echo /usr/bin/rustc; else command -v rustc || true; fi
}

# rust_version says which it is, or what it lacks.
rust_version() {
  if [ -z "$1" ]; then
    return
  elif [ ! -d "$("$1" --print sysroot)/lib/rustlib/wasm32-unknown-unknown" ]; then
    echo "one without the library for wasm32"
  elif ! command -v rust-lld >/dev/null; then
    echo "one without the linker rust-lld"
  else
    "$1" --version
  fi
}

build_rust() {
  rustc=$(rust_compiler)
  pinned rust "rustc 1.63.0" "$(rust_version "$rustc")" || return 0
  flags="--edition 2021 --target wasm32-unknown-unknown -C opt-level=3 -C panic=abort -C codegen-units=1 -C target-feature=+bulk-memory --remap-path-prefix=$here/rust/="
  cd "$here/rust"
  # shellcheck disable=SC2086 # the flags are words
  "$rustc" $flags --crate-type rlib --crate-name edgereel -C embed-bitcode=yes -o "$out/libedgereel.rlib" src/lib.rs
  # shellcheck disable=SC2086
  "$rustc" $flags --crate-type cdylib --extern "edgereel=$out/libedgereel.rlib" -C lto=fat -C strip=symbols \
    -C link-arg=-zstack-size=16384 -o "$out/rust.wasm" example/lantern_pick.rs
  keep rust
}

build_assemblyscript() {
  node=$(command -v node || true)
  pinned assemblyscript "node" "${node:+node}" || return 0
  cd "$here/assemblyscript"
  # The lock file pins the compiler with its integrity.
  [ -f node_modules/assemblyscript/bin/asc.js ] || npm ci --ignore-scripts --silent
  node node_modules/assemblyscript/bin/asc.js example/index.ts -O3 --runtime stub --noAssert --use abort= -o "$out/assemblyscript.wasm"
  keep assemblyscript
}

build_c() {
  clang=$(command -v clang-14 || command -v clang || true)
  pinned c "Debian clang version 14.0.6" "$([ -z "$clang" ] || "$clang" --version | head -n 1)" || return 0
  cd "$here/c"
  "$clang" --target=wasm32 -std=c11 -Wall -Wextra -Werror -O2 -nostdlib -ffreestanding -mbulk-memory -Wl,--no-entry \
    -Wl,-z,stack-size=16384 -Wl,--stack-first -Wl,--strip-all -o "$out/c.wasm" example/lantern_pick.c
  keep c
}

build_go() {
  pinned go "go version go1.26.8 " "$(go version 2>/dev/null || true)" || return 0
  cd "$here/go"
  GOFLAGS= GOWORK=off GOOS=wasip1 GOARCH=wasm go build -trimpath -buildvcs=false -buildmode=c-shared -ldflags='-s -w' -o "$out/go.wasm" ./example
  keep go
}

# keep LANGUAGE: puts the module where it is committed, or compares it.
keep() {
  target=$here/$1/example/example.wasm
  if [ -z "$check" ]; then
    cp "$out/$1.wasm" "$target"
    chmod 644 "$target"
    echo "built sdk/$1/example/example.wasm ($(wc -c <"$target") bytes)"
  elif cmp -s "$out/$1.wasm" "$target"; then
    echo "$1: sdk/$1/example/example.wasm is what its source builds"
  else
    echo "$1: sdk/$1/example/example.wasm is not what its source builds: run sdk/build.sh $1" >&2
    status=1
  fi
}

for language in $languages; do
  case $language in
  rust | assemblyscript | c | go) ;;
  *)
    echo "usage: sdk/build.sh [--check] [rust|assemblyscript|c|go]..." >&2
    exit 2
    ;;
  esac
  "build_$language"
done
exit $status
