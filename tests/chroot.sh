#!/bin/sh
# Tries the README on a bare Debian 12, as a new user does: makes one in DIR by debootstrap, clones the
# repository into it and runs the two commands, as root, or with AS=user as somebody with sudo. Mirror,
# proxy and keys are this machine's; needs root. Remove it with: tests/chroot.sh --remove DIR
# usage: chroot.sh DIR [REPOSITORY]
set -eu

# What is mounted below DIR, innermost first.
unmount() {
    for place in dev/pts dev/shm dev sys proc; do
        if mountpoint -q "$1/$place"; then
            umount "$1/$place"
        fi
    done
}

if [ "${1:-}" = --remove ] && [ $# -eq 2 ]; then
    unmount "$2"
    rm -rf --one-file-system "$2"
    exit 0
fi
if [ $# -lt 1 ] || [ $# -gt 2 ]; then
    echo "usage: $0 DIR [REPOSITORY]" >&2
    exit 2
fi
mkdir -p "$1"
root=$(cd "$1" && pwd)
repository=${2:-$(cd "$(dirname "$0")/.." && pwd)}
as=${AS:-root}

if ! command -v debootstrap >/dev/null; then
    apt-get install -q -y debootstrap
fi
# Of all sources, the ones of Debian.
sources=$(apt-get indextargets --format '$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)' 'Identifier: Packages' |
    sort -u | sed -n 's/^Debian|\(.*\)|\(bookworm[^|]*\)|\(.*\)$/deb \1 \2 \3/p')
mirror=$(echo "$sources" | sed -n 's/^deb \([^ ]*\) bookworm main$/\1/p' | head -n 1)
if [ -z "$mirror" ]; then
    echo "This machine has no source of Debian 12 packages." >&2
    exit 1
fi

if [ ! -e "$root/etc/debian_version" ]; then
    debootstrap --variant=minbase bookworm "$root" "$mirror"
fi
unmount "$root"
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts" 2>/dev/null ||
    mount --bind /dev/pts "$root/dev/pts"
trap 'unmount "$root"' EXIT

cp -L /etc/resolv.conf "$root/etc/resolv.conf"
cp -a /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d"
mkdir -p "$root/etc/ssl/certs"
if [ -e /etc/ssl/certs/ca-certificates.crt ]; then
    cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs"
fi
echo "$sources" >"$root/etc/apt/sources.list"

inside() {
    env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        DEBIAN_FRONTEND=noninteractive TERM=dumb chroot "$root" "$@"
}

# All that a new user is assumed to have.
inside apt-get update -q
inside apt-get install -q -y --no-install-recommends git sudo
run=''
home=/root
if [ "$as" = user ]; then
    inside sh -c 'id user >/dev/null 2>&1 || useradd -m -s /bin/sh user'
    echo 'user ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/user"
    run='sudo -u user -H'
    home=/home/user
fi
rm -rf "$root/repository.git" "$root$home/snaptools"
git clone -q --bare "$repository" "$root/repository.git"
inside chown -R "$as" /repository.git
# shellcheck disable=SC2086
inside $run git clone -q /repository.git "$home/snaptools"

# The README's commands.
for command in 'sudo apt-get install -y make' 'make demo' 'make test' 'git status --porcelain --ignored'; do
    printf '\n==== %s\n' "$command"
    # shellcheck disable=SC2086
    inside $run sh -c "cd $home/snaptools && $command" </dev/null
done
