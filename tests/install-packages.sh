#!/bin/sh
# Installs what building (build) or building and testing (test) needs and this machine lacks, by apt;
# where there is no apt it says what is needed and goes on only if nothing is.
# usage: install-packages.sh build|test
set -eu

purpose=${1:-}
case $purpose in
build | test) ;;
*)
    echo "usage: $0 build|test" >&2
    exit 2
    ;;
esac

missing=
reasons=

# need PACKAGE WHAT-FOR CHECK…: the package is missing when the check fails.
need() {
    package=$1
    reason=$2
    shift 2
    if ! "$@" >/dev/null 2>&1; then
        missing="$missing $package"
        reasons="$reasons    $package: $reason
"
    fi
}

has() { command -v "$1"; }

# Whether the compiler finds a header; without a compiler everything is missing. The macro is for pcre2.h.
header() { echo "#include <$1>" | cc -DPCRE2_CODE_UNIT_WIDTH=8 -E -; }

compiles_with_sanitizers() {
    echo 'int LLVMFuzzerTestOneInput(const char *p, unsigned long n) { return p == 0 && n == 0; }' |
        clang -fsanitize=fuzzer,address,undefined -x c - -o /dev/null
}

need gcc 'the compiler' has cc
need libc6-dev 'headers of the C library' header stdlib.h
need libzstd-dev 'compression of snapshots' header zstd.h
need zlib1g-dev 'checksums, and reading .gz' header zlib.h
need libpcre2-dev 'regular expressions' header pcre2.h
need libsqlite3-dev 'snapshots in SQLite' header sqlite3ext.h
need python3 'the demo service and the tests' has python3
if [ "$purpose" = test ]; then
    need sqlite3 'the tests ask databases with it, and test the extension' has sqlite3
    need zstd 'the second decoder unpacks with it' has zstd
    need binutils 'nm, for the checks of the library' has nm
    need pkg-config 'the check of snap.pc' has pkg-config
    need sqlite3-tools 'sqldiff, for databases that must be equal' has sqldiff
    need mandoc 'the check of the man pages' has mandoc
    need clang 'the second compiler, and the fuzzers' has clang
    need libclang-rt-dev 'the fuzzers' compiles_with_sanitizers
fi

if [ -z "$missing" ]; then
    exit 0
fi
echo "This machine lacks what \`make $(test "$purpose" = build && echo demo || echo test)\` needs:"
printf '%s' "$reasons"

if ! has apt-get >/dev/null; then
    echo "There is no apt-get here: please install these (Debian's names) by your own package manager." >&2
    exit 1
fi
sudo=
if [ "$(id -u)" != 0 ]; then
    if ! has sudo >/dev/null; then
        echo "Neither root nor sudo: please have someone run: apt-get install$missing" >&2
        exit 1
    fi
    sudo=yes
fi
as_root() { ${sudo:+sudo} env DEBIAN_FRONTEND=noninteractive "$@"; }
echo "Installing them: ${sudo:+sudo }apt-get install$missing"
# A bare system may never have fetched its lists of packages, or long ago.
if ! ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1; then
    as_root apt-get update -q
fi
# shellcheck disable=SC2086
as_root apt-get install -q -y --no-install-recommends $missing || {
    as_root apt-get update -q
    as_root apt-get install -q -y --no-install-recommends $missing
}
