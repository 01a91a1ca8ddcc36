#!/bin/sh
# Twice as many calls as there are seats, from a simulator beside the real binary on a
# real disk: scripts/overload.sh [SEATS [CALLS A SECOND]]. As many as there are seats
# must be recorded without a violation, all others must be turned down.
set -eu
seats=${1:-300} rate=${2:-100}
seats=$((seats + seats % 2)) # the same on two hosts
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
# All are offered before the first is over.
last=$((2 * seats / rate + 20))
cat >"$dir/overload.yaml" <<END
name: overload-$seats
about: Twice as many calls arrive as the media hosts have seats.
seed: 200
media: {hosts: 2, capacity: $((seats / 2)), jitter: 5ms}
calls:
  - count: $((2 * seats))
    rate: $rate
    end: {when: recording, after: ${last}s, atMost: 300s}
settle: 60s
END
CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$dir/recorderbot" ./cmd/recorderbot
"$dir/recorderbot" simulate --scenario "$dir/overload.yaml" --dir "$dir/simulation" --settle 600s >"$dir/out" &
simulator=$!
while [ ! -s "$dir/simulation/recorderbot.yaml" ]; do
	kill -0 "$simulator" || exit 1
	sleep 0.1
done
"$dir/recorderbot" serve --config "$dir/simulation/recorderbot.yaml" 2>"$dir/log" &
bot=$!
status=0
wait "$simulator" || status=$?
kill "$bot"
wait "$bot" || status=1
grep -E '^calls|invite to|^recorded|^failed|^notRecorded|violation|VIOLATION|simulation itself' "$dir/out" || status=1
"$dir/recorderbot" check --config "$dir/simulation/recorderbot.yaml" >"$dir/check" || { cat "$dir/check"; status=1; }
"$dir/recorderbot" recordings list --config "$dir/simulation/recorderbot.yaml" --limit $((4 * seats)) >"$dir/list"
recorded=$(grep -c ' recorded ' "$dir/list") || true
rejected=$(grep -c ' rejected  *hostsBusy ' "$dir/list") || true
echo "overload: $((2 * seats)) calls on $seats seats, $recorded recorded, $rejected turned down as hostsBusy"
if [ "$recorded" -ne "$seats" ] || [ "$rejected" -ne "$seats" ]; then status=1; fi
exit "$status"
