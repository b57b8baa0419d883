#!/usr/bin/env bash
# Holds rollcast's gotemplate module against Go's own text/template: the committed cases are what Go answers, and 3,000
# templates made at random come out alike. Skipped with a notice where Go is absent.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
committed=$PWD/../../data/gotemplate/cases.jsonl

if ! command -v go >/dev/null; then
  echo "skipped: no Go here to compare text/template with (https://go.dev/dl)"
  exit 0
fi
answers=$(mktemp -d)
trap 'rm -rf "$answers"' EXIT
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
go run . <"$committed" >"$answers/committed.jsonl"
diff "$committed" "$answers/committed.jsonl"
go run . -generate 3000 -seed 1 <"$committed" >"$answers/all.jsonl"
GOTEMPLATE_CASES="$answers/all.jsonl" cargo test --quiet --locked --test gotemplate -- --nocapture
