#!/bin/sh
# Runs every fuzz target of the module for the given time each.
set -eu
grep -rl --include='*_test.go' '^func Fuzz' cmd internal | while read -r file; do
	sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$file" | while read -r target; do
		echo "== $target in $(dirname "$file")"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$1" -fuzzminimizetime 10x "./$(dirname "$file")" </dev/null
	done
done
