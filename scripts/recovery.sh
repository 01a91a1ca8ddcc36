#!/bin/sh
# What a crash, an upgrade and a drain cost, with real processes on a real disk beside
# the simulator, which plays two media hosts: scripts/recovery.sh [CALLS [SPEED]].
# CALLS (1000) are live when the process is killed, a fifth of them when it is handed
# over; both times the next process is drained. SPEED (1) is how many seconds of media
# pass in one: less than 1 where one core can't play so many calls. The referee must
# find nothing lost.
set -eu
RECORDERBOT_TEST_FIGURES=${1:-1000} RECORDERBOT_TEST_SPEED=${2:-1} \
	go test -count=1 -timeout 30m -v -run '^TestFigures$' ./cmd/recorderbot >"${TMPDIR:-/tmp}/recovery.log" 2>&1 || status=$?
sed -n 's/.*FIGURE //p; /^ *figures_test.go.*law /p; /^--- FAIL/p' "${TMPDIR:-/tmp}/recovery.log"
exit "${status:-0}"
