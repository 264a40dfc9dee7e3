#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing of the Debian packages a task needs:
#
#   tools/install-packages.sh build     compiler, meson, libraries
#   tools/install-packages.sh test      fuzzers (clang), openssl, python3
#   tools/install-packages.sh nightly   valgrind
#   tools/install-packages.sh servers   Dovecot; Cyrus and Courier unpacked beside it
#   tools/install-packages.sh servers dovecot
#   tools/install-packages.sh bench     the rival programs
#   tools/install-packages.sh where     prints the folder Cyrus and Courier are unpacked into
#
# Does nothing, quickly, when all are there. Never leaves a system service running. Cyrus and Courier
# conflict with Dovecot as packages and would bring a mail transport along, so they are only unpacked: the
# tests run them from that folder, as an ordinary user.
set -euo pipefail

declare -A packages=(
    [build]="build-essential pkg-config meson ninja-build libuv1-dev libssl-dev zlib1g-dev libjansson-dev libunistring-dev"
    [test]="clang llvm libclang-rt-14-dev openssl python3"
    [nightly]="valgrind"
    [servers]="dovecot-imapd openssl python3"
    [bench]="isync"
)
unpacked="cyrus-common cyrus-imapd libcourier-unicode4 courier-imap courier-authlib gamin libgamin0 libidn12
    libical3 libxapian30 libsasl2-2 libsasl2-modules libsasl2-modules-db sasl2-bin libltdl7 libglib2.0-0 libpcre2-8-0"

# Where programs that drop root's rights can still read.
if [ "$(id -u)" = 0 ]; then
    prefix=/var/cache/mailferry-test-servers
else
    prefix=${XDG_CACHE_HOME:-$HOME/.cache}/mailferry-test-servers
fi

fail() {
    echo "install-packages: $1" >&2
    exit 1
}

missing() {
    local p
    for p in "$@"; do
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || echo "$p"
    done
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif sudo -n true 2>/dev/null; then
        sudo -n "$@"
    else
        fail "as root, please: apt-get install --no-install-recommends ${wanted[*]}"
    fi
}

have_lists() {
    apt-cache show "$1" >/dev/null 2>&1
}

# A service that a package brings must not start: Debian asks this script before it starts one.
policy=/usr/sbin/policy-rc.d
forbid_services() {
    [ ! -e $policy ] || return 0
    as_root sh -c "printf '#!/bin/sh\nexit 101\n' > $policy && chmod 755 $policy"
    trap allow_services EXIT
}
allow_services() {
    as_root rm -f $policy
}

install_missing() {
    mapfile -t wanted < <(missing "$@")
    [ ${#wanted[@]} -gt 0 ] || return 0
    echo "installing: ${wanted[*]}"
    forbid_services
    for p in "${wanted[@]}"; do
        have_lists "$p" || { as_root apt-get update -qq; break; }
    done
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${wanted[@]}" >/dev/null ||
        fail "apt-get could not install ${wanted[*]}"
}

unpack() {
    [ ! -e "$prefix/complete" ] || return 0
    echo "unpacking Cyrus and Courier into $prefix"
    local work
    work=$(mktemp -d)
    wanted=(cyrus-imapd)
    have_lists cyrus-imapd || as_root apt-get update -qq
    # shellcheck disable=SC2086
    (cd "$work" && apt-get download -qq -o APT::Sandbox::User=root $unpacked >/dev/null) ||
        fail "apt-get could not download Cyrus and Courier"
    rm -rf "$prefix"
    mkdir -p "$prefix"
    for deb in "$work"/*.deb; do
        dpkg -x "$deb" "$prefix"
    done
    chmod 755 "$prefix"
    rm -rf "$work"
    touch "$prefix/complete"
}

case ${1:-} in
where) echo "$prefix" ;;
build | test | nightly | bench)
    # shellcheck disable=SC2086
    install_missing ${packages[$1]}
    ;;
servers)
    # shellcheck disable=SC2086
    install_missing ${packages[servers]}
    [ "${2:-}" = dovecot ] || unpack
    ;;
*)
    sed -n '3,11p' "$0" | sed 's/^# \{0,1\}//'
    exit 2
    ;;
esac
