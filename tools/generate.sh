#!/usr/bin/env bash
# Writes the Go code of the wire schema; with --check only compares.
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1:-}" in
"") exec go -C tools run ./gen -root .. ;;
--check) exec go -C tools run ./gen -root .. -check ;;
*)
	echo "usage: tools/generate.sh [--check]" >&2
	exit 2
	;;
esac
