#!/bin/sh
# Runs every fuzz target of a libFuzzer build for FUZZ_RUNS inputs or FUZZ_SECONDS, whichever ends first
# (0 = no limit), from the corpus and the examples in testdata. What it finds is left in BUILD/found/;
# new inputs are gathered in BUILD/corpus/.
# usage: run.sh BUILD [TARGET…]
set -eu

build=$1
shift
jobs=${FUZZ_JOBS:-$(nproc)}
# Long inputs are slow, and what is wrong shows in short ones; the replay in `make test` has no limit.
length=${FUZZ_LENGTH:-4096}
if [ $# -eq 0 ]; then
    for program in "$build"/tests/fuzz/fuzz_*; do
        set -- "$@" "$(basename "$program")"
    done
fi
choice=
case $build in
    */fastfuzz) choice=-entropic=0 ;;
esac
failed=0
for target; do
    name=${target#fuzz_}
    corpus=$build/corpus/$name
    found=$build/found/$name
    log=$build/$target.log
    mkdir -p "$corpus" "$found"
    set -- "$corpus"
    for folder in "testdata/corpus/$name" testdata/golden testdata/bad testdata/foreign; do
        if [ -d "$folder" ]; then
            set -- "$@" "$folder"
        fi
    done
    runs=$FUZZ_RUNS
    [ "$runs" = 0 ] && runs=-1
    # Several processes share one folder of inputs; the runs are divided among them.
    [ "$runs" -gt 0 ] && runs=$(((runs + jobs - 1) / jobs))
    echo "== $target: $jobs processes of ${runs} runs, ${FUZZ_SECONDS} s (0 = no limit)"
    pids=
    i=0
    while [ "$i" -lt "$jobs" ]; do
        i=$((i + 1))
        # Every other process looks at the values compared as well: slower, but it finds magic numbers. Not in a
        # build without sanitizers, which is for many runs: it knows of no comparisons, and does without the
        # statistics that choose inputs, which cost more there than running them.
        "$build/tests/fuzz/$target" $choice -runs="$runs" -max_total_time="$FUZZ_SECONDS" -max_len="$length" \
            -timeout=60 -report_slow_units=30 -rss_limit_mb=1024 -malloc_limit_mb=512 \
            -use_value_profile=$((i % 2)) -reload=10 -print_final_stats=1 -artifact_prefix="$found/" \
            "$@" >"$log.$i" 2>&1 &
        pids="$pids $!"
    done
    bad=0
    for pid in $pids; do
        wait "$pid" || bad=1
    done
    awk '/stat::number_of_executed_units/ { n += $2 } END { print n + 0, "inputs run" }' "$log".*
    if [ "$bad" != 0 ]; then
        failed=1
        grep -hE 'ERROR|SUMMARY|runtime error|Test unit written' "$log".* || tail -n 20 "$log".*
        echo "FAILED: see $log.* and $found/"
    fi
done
exit $failed
