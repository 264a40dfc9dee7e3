#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing of the Debian packages a task needs:
#
#   tools/install-packages.sh build     compiler, meson, libraries
#   tools/install-packages.sh test      fuzzers (clang), openssl, python3
#   tools/install-packages.sh nightly   valgrind
#   tools/install-packages.sh servers   Dovecot; Cyrus and Courier unpacked beside it
#   tools/install-packages.sh servers dovecot
#   tools/install-packages.sh targets   mail servers to deliver to: OpenSMTPD and Dovecot's LMTP, unpacked
#   tools/install-packages.sh bench     the rival programs
#   tools/install-packages.sh where     prints the folder Cyrus and Courier are unpacked into
#
# Does nothing, quickly, when all are there. Never leaves a system service running. Cyrus and Courier
# conflict with Dovecot as packages and would bring a mail transport along, so they are only unpacked: the
# tests run them from that folder, as an ordinary user.
set -euo pipefail

declare -A packages=(
    [build]="build-essential pkg-config meson ninja-build libuv1-dev libssl-dev zlib1g-dev libsqlite3-dev libjansson-dev libunistring-dev libseccomp-dev tzdata"
    [test]="clang llvm libclang-rt-14-dev openssl python3"
    [nightly]="valgrind"
    [servers]="dovecot-imapd openssl python3"
    [libraries]="libpcre3 libpq5" # of the servers that are only unpacked
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

can_be_root() {
    [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo -n "$@"
    fi
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
    can_be_root || fail "missing packages, and no rights to install them; as root: apt-get install ${wanted[*]}"
    echo "installing: ${wanted[*]}"
    forbid_services
    try_install || { as_root apt-get update -qq && try_install; } ||
        fail "apt-get could not install ${wanted[*]}"
}

# Fails at once when the package lists are missing or too old to name files that still exist.
try_install() {
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${wanted[@]}" >/dev/null
}

try_download() {
    # shellcheck disable=SC2086
    (cd "$work" && apt-get download -qq -o APT::Sandbox::User=root $unpacked >/dev/null)
}

unpack() {
    [ ! -e "$prefix/complete" ] || return 0
    echo "unpacking $1 into $prefix"
    work=$(mktemp -d)
    try_download || { can_be_root && as_root apt-get update -qq && try_download; } ||
        fail "apt-get could not download $1 (perhaps apt-get update helps, as root)"
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
    [ "${2:-}" != dovecot ] || exit 0
    # shellcheck disable=SC2086
    install_missing ${packages[libraries]}
    unpack "Cyrus and Courier"
    ;;
targets)
    # Postfix, where it is tested, is there already: it cannot be unpacked only, as it needs users of its own.
    unpacked="dovecot-lmtpd opensmtpd libevent-2.1-7"
    prefix+=/targets
    unpack "OpenSMTPD and Dovecot's LMTP"
    ;;
*)
    sed -n '3,12p' "$0" | sed 's/^# \{0,1\}//'
    exit 2
    ;;
esac
