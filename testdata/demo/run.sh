#!/bin/sh
# The demo: runs the shop under snaprun, sends it customers, and then finds its leak with the tools in BIN.
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
rm -rf "$out"/*.snap "$out/snaps" "$socket"

B=$(word "$bin")
O=$(word "$out")
D=$(word "$demo")
P=$(word "$python")

# -B keeps compiled files out of the source tree.
serve="$B/snaprun --mode exact -o $O/snaps -t 25 -n 5 -- $P -B $D/service.py --socket $O/shop.sock"
printf '$ %s &\n' "$serve"
eval "exec $serve" &
service=$!
run "$P -B $D/traffic.py --socket $O/shop.sock --requests 400 --snapshots 5 --snaptake $B/snaptake --pid $service"
stop_service

run "$B/snapcat -o $O/service.snap $O/snaps/*.snap"
run "$B/snapcat -o $O/before.snap $O/service.snap@1"
run "$B/snapcat -o $O/after.snap $O/service.snap@-1"
run "ls -l $O/snaps $O/*.snap"
run "$B/snapinfo $O/after.snap"
run "$B/snapdiff $O/before.snap $O/after.snap | $B/snaptop -g traceback 1"
run "$B/snapdiff $O/before.snap $O/after.snap | $B/snaptop 25"
