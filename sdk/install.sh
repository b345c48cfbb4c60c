#!/bin/sh
# Installs the compilers of the kits, and says what it did. Debian and its
# kin: apt for Rust and C; npm brings AssemblyScript into the kit; Go comes from
# its own site.
#
#   sdk/install.sh LANG...      rust, assemblyscript, c, go, or all
set -eu

here=$(cd "$(dirname "$0")" && pwd)
usage() {
  echo "usage: sdk/install.sh rust|assemblyscript|c|go|all..." >&2
  exit 2
}
[ $# -gt 0 ] || usage
[ "$*" != all ] || set -- rust assemblyscript c go

# packages COMMAND-THAT-SHOWS-THEY-ARE-THERE PACKAGE...: installs what is missing.
packages() {
  if sh -c "$1" >/dev/null 2>&1; then
    shift
    echo "there already: $*"
    return
  fi
  shift
  if ! command -v apt-get >/dev/null; then
    echo "cannot install without apt-get; wanted: $*" >&2
    exit 1
  fi
  sudo=
  [ "$(id -u)" = 0 ] || sudo=sudo
  apt="$sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0"
  # The lists of a fresh machine are empty; those of others mostly do.
  if ! $apt install -y --no-install-recommends "$@" >/dev/null 2>&1; then
    $apt update
    $apt install -y --no-install-recommends "$@" >/dev/null
  fi
  echo "installed: $*"
}

for language in "$@"; do
  case $language in
  rust)
    # rustc with the library for wasm32, and the linker it calls.
    packages '/usr/bin/rustc --version && /usr/bin/cargo --version && command -v wasm-ld && test -d /usr/lib/rustlib/wasm32-unknown-unknown' \
      rustc cargo libstd-rust-dev-wasm32 lld
    /usr/bin/rustc --version
    ;;
  c)
    packages 'command -v clang && command -v wasm-ld' clang lld
    clang --version | head -n 1
    ;;
  assemblyscript)
    packages 'command -v node && command -v npm' nodejs npm
    if [ -f "$here/assemblyscript/node_modules/assemblyscript/bin/asc.js" ]; then
      echo "there already: assemblyscript in sdk/assemblyscript/node_modules"
    else
      (cd "$here/assemblyscript" && npm ci --ignore-scripts --silent)
      echo "installed: assemblyscript into sdk/assemblyscript/node_modules"
    fi
    node "$here/assemblyscript/node_modules/assemblyscript/bin/asc.js" --version
    ;;
  go)
    if ! command -v go >/dev/null; then
      echo "go is missing: install Go 1.24 or newer from https://go.dev/dl/" >&2
      exit 1
    fi
    go version
    ;;
  *) usage ;;
  esac
done
