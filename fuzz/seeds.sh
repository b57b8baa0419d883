#!/usr/bin/env bash
# Fills fuzz/corpus/ with what the repository has of each kind of text.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

mkdir -p corpus/{promql_query,openmetrics_text,scenario_toml,manifest_yaml}

# The expressions of Prometheus' own test scripts.
n=0
sed -nE 's/^[[:space:]]*eval (instant at [^ ]+|range from [^ ]+ to [^ ]+ step [^ ]+) (.+)$/\2/p' ../tests/promql/*.test | sort -u |
  while IFS= read -r expression; do
    n=$((n + 1))
    printf '%s' "$expression" >"corpus/promql_query/suite-$n"
  done

printf 'a_total{b="c"} 5 15\na_total{b="c"} 9 30.5\n# EOF\n' >corpus/openmetrics_text/plain
printf '# TYPE a counter\n# HELP a Some "help" \\n.\n# UNIT a_seconds seconds\n{"a name","a label"="x\\"y"} NaN 1e3 # {trace="1"} 2 3\n# EOF\n' >corpus/openmetrics_text/quoted
printf '# any comment\na_bucket{le="+Inf",} +Inf -1500\n\na 0x1p-3\n' >corpus/openmetrics_text/exposition

cp ../scenarios/*.toml corpus/scenario_toml/
cp ../scenarios/load-harness/*.yaml corpus/manifest_yaml/
for file in ../scenarios/load-harness/*.yaml; do cat "$file"; echo ---; done >corpus/manifest_yaml/all.yaml
for file in ../tests/lint/*/*.yaml; do cp "$file" "corpus/manifest_yaml/${file//\//_}"; done
