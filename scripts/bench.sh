#!/bin/sh
# The figures of README.md, on a quiet machine. The sending media host of the
# link benchmarks is a process of its own, so only the recorder's cost counts.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
echo "== link to disk: TLS, CRC, 20 ms commit"
go test -c -o "$dir/media.test" ./internal/media
# The recorder on one core, the sending host on the other, the collector's pace as in serve.
(cd internal/media && MEDIA_TEST_CHILD_CPU=0 GOGC=50 taskset -c 1 "$dir/media.test" -test.run '^$' -test.bench Link -test.benchtime 1x -test.count 3) |
	grep -E '^Benchmark|FAIL|void'
echo "== spool alone"
go test -run '^$' -bench 'BenchmarkAppend' -benchtime 1x ./internal/media/spool | grep -E '^Benchmark|FAIL'
echo "== callbacks"
go test -run '^$' -bench . ./internal/callbacks | grep -E '^Benchmark|FAIL'
echo "== journal, 64 callers"
go test -run '^$' -bench BenchmarkAppend ./internal/catalogue | grep -E '^Benchmark|FAIL'
echo "== own time at 100 calls a second"
CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$dir/recorderbot" ./cmd/recorderbot
echo "binary: $(wc -c <"$dir/recorderbot") bytes"
"$dir/recorderbot" simulate --scenario hundred-calls --dir "$dir/simulation" >"$dir/out" &
simulator=$!
while [ ! -s "$dir/simulation/recorderbot.yaml" ]; do sleep 0.1; done
"$dir/recorderbot" serve --config "$dir/simulation/recorderbot.yaml" 2>"$dir/log" &
bot=$!
status=0
wait "$simulator" || status=$?
kill "$bot"
wait "$bot" || true
grep -E 'invite to answer|established to|samples|violation|VIOLATION' "$dir/out"
exit "$status"
