#!/bin/sh
# Builds the published games, or with --check compares the committed modules
# with what their source builds. The compiler is the one of games/build.sh,
# which installs it on first use.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$here/../../..
asc=sdk/assemblyscript/node_modules/assemblyscript/bin/asc.js
check=
case ${1-} in
'') ;;
--check) check=yes ;;
*) echo "usage: gamelogic/testdata/published/build.sh [--check]" >&2; exit 2 ;;
esac
cd "$root"
if [ ! -f "$asc" ]; then
  (cd sdk/assemblyscript && npm ci --ignore-scripts --silent)
fi

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
status=0
for game in sizzling columbus atkins choice; do
  from=gamelogic/testdata/published/$game.ts
  target=gamelogic/testdata/published/$game.wasm
  node "$asc" "$from" -O3 --runtime stub --noAssert --use abort= -o "$out/$game.wasm"
  if [ -z "$check" ]; then
    cp "$out/$game.wasm" "$target"
    echo "built $target ($(wc -c <"$target") bytes)"
  elif ! cmp -s "$out/$game.wasm" "$target"; then
    echo "$target is not what its source builds: run gamelogic/testdata/published/build.sh" >&2
    status=1
  fi
done
exit $status
