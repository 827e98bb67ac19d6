#!/bin/sh
# Makes the benchmark's dumps in OUT, those that are not there yet: pairs BLOCKSxFRAMES-a.pickle and -b.pickle, and a series.
# usage: make-data.sh OUT [PYTHON [quick]]     (quick leaves out the dumps of a million blocks)
set -eu

if [ $# -lt 1 ]; then
    echo "usage: $0 OUT [PYTHON [quick]]" >&2
    exit 2
fi
here=$(dirname "$0")
out=$1
python=${2:-python3}
sizes="100000 1000000"
if [ "${3:-}" = quick ]; then
    sizes=100000
fi

mkdir -p "$out"
# Tracing is slow: the programs that differ in frames only run side by side.
for blocks in $sizes; do
    running=
    for frames in 1 10 25; do
        pair=$out/${blocks}x$frames
        if [ ! -e "$pair-a.pickle" ] || [ ! -e "$pair-b.pickle" ]; then
            "$python" -B "$here/programs.py" --blocks "$blocks" --frames "$frames" \
                --out "$pair-a.pickle" --out2 "$pair-b.pickle" &
            running="$running $!"
        fi
    done
    for process in $running; do
        wait "$process"
    done
done
# The last one is written last.
if [ ! -e "$out/series-20.pickle" ]; then
    "$python" -B "$here/growing_service.py" --snapshots 20 --out "$out/series-"
fi
