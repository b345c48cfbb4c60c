#!/bin/sh
# Builds the reference games, or with --check compares the committed modules
# with what their source builds. The compiler is pinned, with its integrity, in
# sdk/assemblyscript/package-lock.json and is installed there on first use.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
kit=$here/../sdk/assemblyscript
asc=$kit/node_modules/assemblyscript/bin/asc.js
check=
case ${1-} in
'') ;;
--check) check=yes ;;
*) echo "usage: games/build.sh [--check]" >&2; exit 2 ;;
esac

if [ ! -f "$asc" ]; then
  (cd "$kit" && npm ci --ignore-scripts --silent)
fi

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
status=0
for game in harbor-lines comet-spins; do
  (cd "$here/.." && node "$asc" "games/$game/assembly/index.ts" -O3 --runtime stub --noAssert --use abort= -o "$out/$game.wasm")
  target=$here/$game/$game.wasm
  if [ -z "$check" ]; then
    cp "$out/$game.wasm" "$target"
    echo "built games/$game/$game.wasm ($(wc -c <"$target") bytes)"
  elif ! cmp -s "$out/$game.wasm" "$target"; then
    echo "games/$game/$game.wasm is not what its source builds: run games/build.sh" >&2
    status=1
  fi
done
exit $status
