#!/bin/sh
# Builds the reference games, or with --check compares the committed modules
# with what their source builds. The compiler is pinned, with its integrity, in
# sdk/assemblyscript/package-lock.json and is installed there on first use.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
kit=$here/../sdk/assemblyscript
asc=$kit/node_modules/assemblyscript/dist/asc.js
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
# source folder, variant (a constant of the source), module
modules='harbor-lines 0 harbor-lines/harbor-lines.wasm
comet-spins 0 comet-spins/comet-spins.wasm
lantern-ways 96 lantern-ways/lantern-ways.wasm
lantern-ways 94 lantern-ways/94/lantern-ways-94.wasm
lantern-ways 92 lantern-ways/92/lantern-ways-92.wasm
ember-vault 0 ember-vault/ember-vault.wasm
quarry-falls 0 quarry-falls/quarry-falls.wasm'

set --
while read -r game variant module; do
  mkdir -p "$(dirname "$out/$module")"
  set -- "$@" "games/$game/assembly/index.ts" "$variant" "$out/$module"
done <<EOF
$modules
EOF
(cd "$here/.." && node games/build.mjs "$asc" "$@")

while read -r game variant module; do
  target=$here/$module
  if [ -z "$check" ]; then
    cp "$out/$module" "$target"
    echo "built games/$module ($(wc -c <"$target") bytes)"
  elif ! cmp -s "$out/$module" "$target"; then
    echo "games/$module is not what its source builds: run games/build.sh" >&2
    status=1
  fi
done <<EOF
$modules
EOF
exit $status
