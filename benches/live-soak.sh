#!/bin/sh
# Watches a machine under a light mixed load for a long time, and writes what the watcher uses:
# benches/live-soak.sh [SECONDS] [TURNS_A_SECOND] [CSV]
# One row every ten seconds: seconds, resident kB, descriptors, threads, CPU seconds of the watcher,
# events it has raised alerts for. The last lines tell how much the figures moved.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-1800} rate=${2:-10} csv=${3:-/dev/stdout}
bin=${PEREGRINE_BIN:-target/release}
work=$(mktemp -d)
trap 'kill $watcher $load 2>/dev/null || true; rm -rf "$work"' EXIT INT TERM

"$bin/peregrine" run -r rules/peregrine_rules.yaml >"$work/alerts" 2>"$work/said" &
watcher=$!
sleep 2
"$bin/live-load" mixed seconds="$seconds" rate="$rate" >"$work/load" &
load=$!

ticks=$(getconf CLK_TCK)
echo "seconds,resident_kb,descriptors,threads,cpu_seconds,alerts" >"$csv"
begun=$(date +%s)
while kill -0 $load 2>/dev/null; do
    now=$(($(date +%s) - begun))
    rss=$(awk '/^VmRSS/ {print $2}' "/proc/$watcher/status")
    threads=$(awk '/^Threads/ {print $2}' "/proc/$watcher/status")
    fds=$(find "/proc/$watcher/fd" -mindepth 1 | wc -l)
    cpu=$(awk -v t="$ticks" '{sub(/.*\) /, ""); printf "%.2f", ($12 + $13) / t}' "/proc/$watcher/stat")
    echo "$now,$rss,$fds,$threads,$cpu,$(wc -l <"$work/alerts")" >>"$csv"
    sleep 10
done
kill -INT $watcher
wait $watcher || true
{ echo "load: $(cat "$work/load")"; cat "$work/said"; } >&2
