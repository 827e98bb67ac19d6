#!/bin/sh
# Makes testdata/corpus/{reader,roundtrip,tracemalloc} anew: for the first two, small files of every shape
# (seeds.c) and snapshots of real dumps; and of what a short fuzz run from them, or from the pickles in
# testdata, finds, and `make fuzz` has gathered before, the smallest that do something new. Run from the root of the source tree after `make` and
# `make VARIANT=fuzz test-programs`.
# usage: make-corpus.sh [SECONDS]
set -eu

seconds=${1:-60}
build=${BUILD:-build}
fuzz=${FUZZ_BUILD:-build/fuzz}
largest=4096 # bytes of a file
more=150     # files of a folder beside the seeds
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/reader" "$work/roundtrip" "$work/tracemalloc"

${CC:-cc} -std=c11 -O1 -Ilibsnap/include -o "$work/seeds" testdata/corpus/seeds.c "$build/lib/libsnap.a" -lzstd -lz
"$work/seeds" "$work/reader" "$work/roundtrip"

cat_tool="$build/bin/snapcat -q --no-history"
for dump in testdata/foreign/tracemalloc/*.tm; do
    name=$(basename "$dump" .tm)
    # Protocols 0 and 1 are refused.
    $cat_tool --level 3 -o "$work/reader/$name" "$dump" 2>/dev/null || continue
    $cat_tool "$dump" >"$work/reader/$name-stored"
done
old=testdata/foreign/tracemalloc/py3.13.0.tm
new=testdata/foreign/tracemalloc/py3.13.0-big.tm
$cat_tool "$old" "$new" "$old" >"$work/reader/dumps-series"
"$build/bin/snapdiff" -q --no-history "$old" "$new" >"$work/reader/dumps-diff"

for name in reader roundtrip tracemalloc; do
    target=$fuzz/tests/fuzz/fuzz_$name
    mkdir "$work/$name-found" "$work/$name-all"
    mkdir -p "$fuzz/corpus/$name"
    # Pickles that stand in testdata are replayed from there.
    if [ "$name" = tracemalloc ]; then
        cp testdata/foreign/tracemalloc/*.tm testdata/bad/pickle/* "$work/$name-all"
    else
        cp "$work/$name"/* "$work/$name-all"
    fi
    "$target" -seed=1 -max_total_time="$seconds" -max_len="$largest" -verbosity=0 -artifact_prefix="$work/" \
        "$work/$name-found" "$work/$name-all"
    before=$(ls "$work/$name-all")
    "$target" -merge=1 -max_len="$largest" -verbosity=0 "$work/$name-all" "$work/$name-found" "$fuzz/corpus/$name"
    rm -rf "testdata/corpus/$name"
    mkdir "testdata/corpus/$name"
    [ "$name" = tracemalloc ] || cp "$work/$name"/* "testdata/corpus/$name"
    find "$work/$name-all" -type f -printf '%s %p\n' | sort -n | while read -r _ file; do
        ! printf '%s\n' "$before" | grep -qxF "$(basename "$file")" || continue
        more=$((more - 1))
        [ "$more" -ge 0 ] || break
        cp "$file" "testdata/corpus/$name/"
    done
done
