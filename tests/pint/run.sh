#!/usr/bin/env bash
# Checks the rules with pint, by .pint.hcl. It is built with Go, once, in the version and with the hashes that go.mod and
# go.sum beside this file have; where it can't be, a line says so.
set -euo pipefail
cd "$(dirname "$0")/../.."
pint=$PWD/.stack/bin/pint

if [ ! -x "$pint" ] || [ tests/pint/go.mod -nt "$pint" ]; then
  if ! command -v go >/dev/null; then
    echo "pint: skipped, for there is no Go to build it with (https://go.dev/dl)"
    exit 0
  fi
  echo "pint: is built, once; that takes a minute or two"
  if ! (cd tests/pint && go build -buildvcs=false -o "$pint" github.com/cloudflare/pint/cmd/pint); then
    echo "pint: skipped, for it could not be built; see above"
    exit 0
  fi
fi

echo "pint lint prometheus/rules"
"$pint" --offline --no-color --log-level warn lint --min-severity info --fail-on warning prometheus/rules
