#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Shows what a host without systemd-sysctl sets at a boot and when nf_conntrack is loaded later, with its own sysctl and
# udevd. What remains of a boot is what /etc/init.d/procps runs.
set -eu
cd /proc/sys/net/netfilter 2>/dev/null || true

expect() {
    for pair in nf_conntrack_max=90001 nf_conntrack_udp_timeout=77; do
        live=$(cat "/proc/sys/net/netfilter/${pair%=*}")
        [ "$live" = "${pair#*=}" ] || { echo "$1: ${pair%=*} is $live instead of ${pair#*=}"; exit 1; }
    done
}

cd /
grep -q -- '--pattern' /etc/udev/rules.d/99-netops-conntrack.rules
sysctl --quiet vm.swappiness=57
modprobe --remove nf_conntrack
modprobe nf_conntrack
udevadm settle
expect "at a load"
[ "$(cat /proc/sys/vm/swappiness)" = 57 ] || { echo "a load set a key that is none of conntrack's"; exit 1; }

sysctl --quiet net.netfilter.nf_conntrack_max=5555 net.netfilter.nf_conntrack_udp_timeout=5
grep -q 'DAEMON.*--system' /etc/init.d/procps
sysctl --quiet --system || true
expect "at a boot"
