#!/bin/sh
# Watches this machine under a mixed load for a long time, and writes what the watcher uses and loses:
# benches/live-soak.sh [SECONDS] [TURNS_A_SECOND] [CSV]   (root; half an hour of 40 turns by default)
#
# A turn is files written, renamed and removed, 200 files read, a connection, and a child. One row every
# 30 seconds: seconds, resident kB, those of its own, descriptors, threads, CPU seconds of the watcher and
# of the load, alerts, events, lost events, and lost events of processes (births, programs, ends). Ends
# by itself, and with an error if an event of a process was lost, memory of its own grew by more than
# 8 MB after the first fifth, or descriptors grew at all.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-1800} rate=${2:-40} csv=${3:-/dev/stdout}
bin=${PEREGRINE_BIN:-target/release}
work=$(mktemp -d)
watcher='' load=''
trap 'kill $watcher $load 2>/dev/null || true; rm -rf "$work"' EXIT INT TERM

"$bin/peregrine" run -r rules/peregrine_rules.yaml \
    -o metrics.enabled=true -o metrics.interval=5s -o metrics.output_file="$work/metrics" \
    -o metrics.kernel_event_counters_enabled=true -o metrics.include_empty_values=true \
    >"$work/alerts" 2>"$work/said" &
watcher=$!
sleep 10
"$bin/live-load" mixed seconds="$seconds" rate="$rate" >"$work/load" &
load=$!

ticks=$(getconf CLK_TCK)
cpu() { awk -v t="$ticks" '{sub(/.*\) /, ""); printf "%.2f", ($12 + $13 + $14 + $15) / t}' "/proc/$1/stat"; }
status() { awk -v name="$1:" '$1 == name {print $2}' "/proc/$watcher/status"; }
# Sum of the counters whose names end so, as of the last report.
counted() { tail -n 1 "$work/metrics" 2>/dev/null | grep -oE "\"scap\.($1)\":[0-9]+" | awk -F: '{sum += $2} END {print sum + 0}'; }

echo "seconds,resident_kb,own_kb,descriptors,threads,cpu_seconds,load_cpu_seconds,alerts,events,lost,lost_of_processes" | tee "$work/csv" >"$csv"
begun=$(date +%s)
while kill -0 $load 2>/dev/null; do
    now=$(($(date +%s) - begun))
    fds=$(find "/proc/$watcher/fd" -mindepth 1 | wc -l)
    echo "$now,$(status VmRSS),$(status RssAnon),$fds,$(status Threads),$(cpu $watcher),$(cpu $load),$(wc -l <"$work/alerts"),$(counted n_evts),$(counted n_drops),$(counted 'n_drops_buffer_(clone_fork_exit|execve_exit|proc_exit)')" >>"$work/csv"
    tail -n 1 "$work/csv" >>"$csv"
    for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 $load 2>/dev/null && sleep 3; done
done
kill -INT $watcher
wait $watcher || true
{ echo "load: $(cat "$work/load")"; cat "$work/said"; } >&2
awk -F, -v length_="$seconds" '
    NR == 1 { next }
    $1 <= length_ / 5 || NR == 2 { if ($3 > memory) memory = $3; if ($4 > fds) fds = $4 }
    { after = $3; fds_after = $4; lost = $10; vital = $11 }
    END {
        printf "own memory %d kB, then %d kB; descriptors %d, then %d; %d events lost, %d of processes\n", memory, after, fds, fds_after, lost, vital
        exit after > memory + 8192 || fds_after > fds || vital > 0
    }' "$work/csv" >&2
