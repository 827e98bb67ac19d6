#!/bin/sh
# The demo: runs the shop under tracemalloc, sends it customers, and then finds its leak with the tools in BIN.
# usage: run.sh BIN OUT     (from the repository root; PYTHON names the interpreter, default python3)
set -eu

if [ $# -ne 2 ]; then
    echo "usage: $0 BIN OUT" >&2
    exit 2
fi
demo=$(dirname "$0")
bin=${1%/}
out=${2%/}
python=${PYTHON:-python3}
socket=$out/shop.sock
service=

stop_service() {
    set -- "$service"
    service=
    kill "$1"
    wait "$1"
}
trap 'test -z "$service" || stop_service; rm -f "$socket"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# A word as a reader would have to type it.
word() {
    case $1 in
    *[!A-Za-z0-9_./@:=,+-]*) printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")" ;;
    *) printf '%s' "$1" ;;
    esac
}

# Shows a command line and runs exactly what it showed.
run() {
    printf '\n$ %s\n' "$1"
    eval "$1"
}

mkdir -p "$out"
rm -f "$out"/*.pickle "$out"/*.snap "$socket"

B=$(word "$bin")
O=$(word "$out")
D=$(word "$demo")
P=$(word "$python")

# -B keeps compiled files out of the source tree.
serve="$P -B $D/service.py --socket $O/shop.sock --trace 25 --snapshots $O"
printf '$ %s &\n' "$serve"
eval "exec $serve" &
service=$!
run "$P -B $D/traffic.py --socket $O/shop.sock --requests 400 before during-1 during-2 during-3 after"
stop_service

run "$B/snapcat -o $O/before.snap $O/before.pickle"
run "$B/snapcat -o $O/after.snap $O/after.pickle"
run "$B/snapcat -o $O/service.snap $O/before.pickle $O/during-1.pickle $O/during-2.pickle $O/during-3.pickle $O/after.pickle"
run "ls -l $O/*.pickle $O/*.snap"
run "$B/snapinfo $O/after.snap"
run "$B/snapdiff $O/before.snap $O/after.snap | $B/snaptop -g traceback 1"
run "$B/snapdiff $O/before.snap $O/after.snap | $B/snaptop 25"
