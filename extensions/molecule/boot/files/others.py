# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration that a host has from elsewhere.

What a blog post said, what a package brings, what nobody remembers.

others.py make                           writes it
others.py check                          fails unless just the lines that would win, or that no kernel knows, are gone
others.py said SETTINGS                  fails unless what the collection said of a boot is in that file and line,
                                         and live
others.py link                           makes the link by which the boot reads /etc/sysctl.conf, or removes it
others.py restore                        takes everything back
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import typing as t

SAVED = "/root/sysctl.conf.saved"
SYSCTL_CONF = "/etc/sysctl.conf"
LINK = "/etc/sysctl.d/99-sysctl.conf"

# By path: what is there before the role runs, and after.
FILES = {
    "/etc/sysctl.d/zzz-old.conf": (
        b"# t\xfcned in 2014\nnet.netfilter.nf_conntrack_max=5000\n\tvm.swappiness  =  59\r\n"
        b"-net/netfilter/nf_conntrack_udp_timeout = 7\nnet.nf_conntrack_max = 6000\n"
        b"net.netfilter.nf_conntrack_frag6_x=1\n; end",
        b"# t\xfcned in 2014\n\tvm.swappiness  =  59\r\nnet.netfilter.nf_conntrack_frag6_x=1\n; end",
    ),
    "/etc/sysctl.d/10-former.conf": (
        b"net.ipv4.ip_conntrack_max = 9000\nvm.swappiness=58\nnet.netfilter.nf_conntrack_udp_timeout = 9\n",
        b"vm.swappiness=58\nnet.netfilter.nf_conntrack_udp_timeout = 9\n",
    ),
    "/usr/lib/sysctl.d/99-zz.conf": (
        b"net.netfilter.nf_conntrack_max = 7000\nnet.netfilter.nf_conntrack_udp_tim* = 8\n",
        b"net.netfilter.nf_conntrack_max = 7000\nnet.netfilter.nf_conntrack_udp_tim* = 8\n",
    ),
    "/etc/modprobe.d/zzz-old.conf": (
        b"# old\noptions nf_conntrack hashsize=4096 acct=1",
        b"# old\noptions nf_conntrack acct=1",
    ),
}
BLOG = (
    b"\n# From the blog\nnet.netfilter.nf_conntrack_max = 1048576\nnet.ipv4.netfilter.ip_conntrack_max=655360\n# End\n"
)
BLOG_AFTER = b"\n# From the blog\n# End\n"


def make() -> None:
    for path, (before, _after) in FILES.items():
        write(path, before)
    if os.path.exists(SYSCTL_CONF):
        shutil.copy2(SYSCTL_CONF, SAVED)
    write(SYSCTL_CONF, (read(SAVED) or b"") + BLOG)


def check() -> None:
    wanted = {path: after for path, (_before, after) in FILES.items()}
    wanted[SYSCTL_CONF] = (read(SAVED) or b"") + BLOG_AFTER
    wrong = [f"{path} holds {read(path)!r}" for path, after in wanted.items() if read(path) != after]
    # Debian 12 has the link, Debian 13 has not.
    if os.path.lexists(LINK) != os.path.exists(SAVED) or (os.path.lexists(LINK) and not os.path.islink(LINK)):
        wrong.append(LINK + " is not as it was")
    report(wrong)


def said(settings: str) -> None:
    wrong = []
    for name, place in json.loads(settings).items():
        line = (read(place["file"]) or b"").decode("utf-8", "replace").split("\n")[place["line"] - 1]
        key = "hashsize" if name == "nf_conntrack_buckets" else name
        if not re.search(r"\b{0} ?= ?{1}\b".format(key, place["boot"]), line):
            wrong.append(f"{name} is said to be set by {line}")
        if int(read("/proc/sys/net/netfilter/" + name) or 0) != place["boot"]:
            wrong.append("{0} is not {1}".format(name, place["boot"]))
    report(wrong)


def link() -> None:
    if os.path.islink(LINK):
        os.unlink(LINK)
        print("no link")
    else:
        os.symlink("../sysctl.conf", LINK)
        print("a link")


def restore() -> None:
    for path in FILES:
        os.unlink(path)
    if os.path.exists(SAVED):
        os.rename(SAVED, SYSCTL_CONF)
    else:
        os.unlink(SYSCTL_CONF)


def read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def write(path: str, content: bytes) -> None:
    with open(path, "wb") as stream:
        stream.write(content)


def report(wrong: list[str]) -> None:
    if wrong:
        sys.exit("; ".join(wrong))


if __name__ == "__main__":
    COMMANDS: dict[str, t.Callable[..., None]] = {
        "make": make,
        "check": check,
        "said": said,
        "link": link,
        "restore": restore,
    }
    COMMANDS[sys.argv[1]](*sys.argv[2:])
