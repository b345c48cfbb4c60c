#!/bin/sh
# Builds the modules that the test of the release path pushes, from the source
# of Comet Spins with the compiler that games/build.sh installs:
#   1.1.0  the same game as a new version
#   1.2.0  the same game, which traps at a stake of 7.70 and at no other: what
#          no check of a module can find, and a canary meets
# and the sheets of both, which are that of 1.0.0 under their versions.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../../../.." && pwd)
asc=$root/sdk/assemblyscript/node_modules/assemblyscript/bin/asc.js
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

build() {
  version=$1 trap=$2
  rm -rf "$out/games"
  mkdir -p "$out/games/comet-spins"
  cp -R "$root/games/comet-spins/assembly" "$out/games/comet-spins/assembly"
  [ -e "$out/sdk" ] || ln -s "$root/sdk" "$out/sdk"
  source=$out/games/comet-spins/assembly
  sed -i "s/\"version\":\"1.0.0\"/\"version\":\"$version\"/" "$source/maths.ts"
  if [ -n "$trap" ]; then
    sed -i "s/^function opening(stake: i64): i32 {/&\n  if (stake == $trap) unreachable();/" "$source/index.ts"
  fi
  (cd "$out" && node "$asc" games/comet-spins/assembly/index.ts -O3 --runtime stub --noAssert --use abort= --use VARIANT=0 -o module.wasm)
  cp "$out/module.wasm" "$here/comet-spins-$version.wasm"
  sed "s/\"version\": \"1.0.0\"/\"version\": \"$version\"/" "$root/games/comet-spins/par.json" >"$here/comet-spins-$version.json"
}

build 1.1.0 ''
build 1.2.0 770
