# SPDX-License-Identifier: GPL-3.0-or-later
"""Trees of sysctl.d and modprobe.d files as hosts have them, and worse, made from a seed.

A tree is a mapping of paths to what is there: bytes are a file, a string is where a link leads, None is a directory.
"""

from __future__ import annotations

import posixpath
import typing as t

if t.TYPE_CHECKING:
    from random import Random

Entry = t.Union[bytes, str, None]
Tree = t.Dict[str, Entry]

BASES = ("/etc", "/run", "/usr/local/lib", "/usr/lib")

# Some sort last, some are hidden or no .conf, some are those that Debian and the collection have.
_NAMES = (
    "10-a.conf",
    "50-b.conf",
    "99-sysctl.conf",
    "99-zz.conf",
    "Z.conf",
    "a.conf",
    "zz-netops-conntrack.conf",
    "zzz-old.conf",
    "sp ace.conf",
    "\u00e9.conf",
    ".hidden.conf",
    ".conf",
    "README",
    "a.conf~",
    "b.conf.bak",
    "c.CONF",
)

#: Every variable of a tree: its names with dots, and from which numbers its values are drawn, all of which the kernel
#: takes as they are.
VARIABLES: dict[str, tuple[tuple[str, ...], range]] = {
    "nf_conntrack_max": (("net.netfilter.nf_conntrack_max", "net.nf_conntrack_max"), range(70000, 200000)),
    "nf_conntrack_buckets": (("net.netfilter.nf_conntrack_buckets",), range(1024, 32768, 512)),
    "nf_conntrack_udp_timeout": (("net.netfilter.nf_conntrack_udp_timeout",), range(1, 50000)),
    "nf_conntrack_udp_timeout_stream": (("net.netfilter.nf_conntrack_udp_timeout_stream",), range(1, 50000)),
    "nf_conntrack_generic_timeout": (("net.netfilter.nf_conntrack_generic_timeout",), range(1, 50000)),
    "nf_conntrack_log_invalid": (("net.netfilter.nf_conntrack_log_invalid",), range(1, 256)),
}

# With a pattern, from which variable's numbers its values are drawn.
_GLOBS = (
    ("net.netfilter.nf_conntrack_udp*", "nf_conntrack_udp_timeout"),
    ("net.netfilter.nf_conntrack_*_timeout", "nf_conntrack_udp_timeout"),
    ("net.*.nf_conntrack_generic_timeout", "nf_conntrack_udp_timeout"),
    ("net.n[ef]tfilter.nf_conntrack_udp_timeou?", "nf_conntrack_udp_timeout"),
    ("net.netfilter.nf_conntrack_[!g]*_timeout", "nf_conntrack_udp_timeout"),
    ("net.netfilter.nf_conntrack_[^u]*_timeout", "nf_conntrack_udp_timeout"),
    ("net.netfilter.nf_conntrack_\\udp_timeou?", "nf_conntrack_udp_timeout"),
    ("net.*netfilter*generic_timeout", "nf_conntrack_udp_timeout"),
    ("net.netfilter.nf_conntrack_log_*", "nf_conntrack_log_invalid"),
    ("net.netfilter.nf_conntrack_ma?", "nf_conntrack_max"),
    ("net.nf_conntrack_ma[x]", "nf_conntrack_max"),
    ("net.netfilter.nf_conntrack_bucket*", "nf_conntrack_buckets"),
)

_NOISE = (
    b"",
    b" ",
    b"\t",
    b"# net.netfilter.nf_conntrack_max = 77777",
    b"; net.netfilter.nf_conntrack_udp_timeout = 7",
    b"   # net.nf_conntrack_max=77777",
    b"net.netfilter.nf_conntrack_max",
    b"net.netfilter.nf_conntrack_max 77777",
    b"no assignment",
    b"=",
    b"= 5",
    b"-",
    b"x",
    b"\xff\xfe = \xff",
    b"# \xff \xc3\xa9",
    b"kernel.no_such_key = 5",
    b"net.ipv4.ip_conntrack_max = 77777",
    b"net.ipv4.netfilter.ip_conntrack_max=77777",
    b"-net.ipv4.netfilter.ip_conntrack_udp_timeout = 7",
    b"net.netfilter.nf_conntrack_no_such = 5",
    b"net.netfilter = 5",
    b"net.ipv4.netfilter.nf_conntrack_max = 77777",
    b"net.ipv4.nf_conntrack_max=77777",
    b"net.netfilter.ip_conntrack_max = 77777",
    b"net.ip_conntrack_max = 77777",
    b"net.nf_conntrack_udp_timeout = 7",
    b"net.netfilter.nf_conntrack_max: 77777",
    b"net.netfilter.nf_conntrack_max := 77777",
    b"sysctl -w net.netfilter.nf_conntrack_max=77777",
    b"export net.netfilter.nf_conntrack_udp_timeout=7",
    b'"net.netfilter.nf_conntrack_udp_timeout"=7',
    b"\xef\xbb\xbfnet.netfilter.nf_conntrack_udp_timeout=7",
    b"net.ipv4.netfilter.ip_conntrack_tcp_timeout_established = 7",
)

# What the kernel refuses, or leaves its value at.
_REFUSED = ("", "abc", "5;", "'5'", "0x", "08", "99999999999999999999", "+5", "1e3", "5,6", "# 5")


def sysctl_tree(random: Random) -> Tree:
    """A tree of sysctl.d files, and /etc/sysctl.conf."""
    values: dict[str, list[int]] = {}
    # The kernel takes its time to change the number of buckets, so most trees do without.
    variables = [name for name in VARIABLES if name != "nf_conntrack_buckets" or random.random() < 0.1]
    return _tree(random, "sysctl.d", lambda: _text(random, lambda: _sysctl_line(random, variables, values)))


def _tree(random: Random, kind: str, text: t.Callable[[], bytes]) -> Tree:
    tree: Tree = {"/etc/apart.conf": text(), "/etc/sysctl.conf": text()}
    # Names shadow each other only where there are few.
    names = random.sample(_NAMES, random.randint(1, 6))
    # kmod before 34 takes a link to nowhere for what it looked at before, so it hides files, or does not, by chance.
    odd = None if kind == "modprobe.d" else random.choice((None, "/nowhere", "nowhere.conf", "../nowhere/at/all"))
    for base in BASES:
        if random.random() < 0.15:
            continue
        directory = f"{base}/{kind}"
        tree[directory] = None
        for name in names:
            if random.random() < 0.6:
                tree[f"{directory}/{name}"] = _entry(random, directory, odd, text)
    if odd is not None and random.random() < 0.5:
        del tree["/etc/sysctl.conf"]
    return tree


def _entry(random: Random, directory: str, odd: str | None, text: t.Callable[[], bytes]) -> Entry:
    chance = random.random()
    if chance < 0.07:
        return random.choice(("/dev/null", posixpath.relpath("/dev/null", directory)))
    if chance < 0.12:
        return "/etc/sysctl.conf"
    if chance < 0.15:
        return "/etc/apart.conf"
    if chance < 0.20:
        return odd
    if chance < 0.21 and odd is None:
        return "/etc"
    return text()


def _text(random: Random, line: t.Callable[[], bytes]) -> bytes:
    end = random.choices((b"\n", b"\r\n", b"\r", b"\n\n", b"\0"), (80, 10, 3, 5, 2))[0]
    text = b"".join(line() + end for _number in range(random.randint(0, 6)))
    return text[: -len(end)] if random.random() < 0.2 else text


def _sysctl_line(random: Random, variables: t.Sequence[str], values: dict[str, list[int]]) -> bytes:
    chance = random.random()
    if chance < 0.15:
        return random.choice(_NOISE)
    if chance < 0.30:
        key, variable = random.choice([(key, variable) for key, variable in _GLOBS if variable in variables])
    else:
        variable = random.choice(variables)
        key = random.choice(VARIABLES[variable][0])
    key = _spelled(random, key)
    if random.random() < 0.12:
        return f"{_blank(random)}-{key}{_blank(random)}".encode()
    before = random.choices(("", "-", " ", "\t", "  -", "- ", "--", "\v", "\f"), (60, 15, 5, 5, 5, 3, 2, 2, 2))[0]
    equals = random.choice(("=", " = ", "=", " = ", " =", "= ", "\t=\t", "  ="))
    value = _value(random, variable, values)
    return f"{before}{key}{equals}{value}{_blank(random)}".encode()


def _blank(random: Random) -> str:
    return random.choices(("", " ", "\t", " \t ", "\r", "\v", "\f"), (80, 6, 6, 2, 2, 1, 1))[0]


def _spelled(random: Random, key: str) -> str:
    way = random.choices(
        ("dots", "slashes", "slash first", "dot first", "mixed", "doubled", "here", "up", "cut"),
        (60, 18, 3, 3, 3, 3, 2, 2, 2),
    )[0]
    slashes = key.replace(".", "/")
    spellings = {
        "dots": (key,),
        "slashes": (slashes,),
        "slash first": ("/" + slashes,),
        "dot first": ("." + key,),
        "mixed": (key[::-1].replace(".", "/", 1)[::-1],),
        "doubled": (key.replace(".", "..", 1), slashes.replace("/", "//", 1), slashes + "/"),
        "here": (slashes.replace("/", "/./", 1),),
        "up": (slashes.replace("net/", "net/core/../", 1),),
        "cut": (key[:-1], key + "x", key.upper()),
    }[way]
    return spellings[0] if len(spellings) == 1 else random.choice(spellings)


def _value(random: Random, variable: str, values: dict[str, list[int]]) -> str:
    given = values.setdefault(variable, [])
    if given and random.random() < 0.15:
        return str(random.choice(given))
    if random.random() < 0.12:
        return random.choice(_REFUSED)
    # Distinct, so that a value tells the line it is from.
    number = random.choice(VARIABLES[variable][1])
    while number in given:
        number = random.choice(VARIABLES[variable][1])
    given.append(number)
    shape = random.choices(("{0}", "0x{0:x}", "0{0:o}", "{0} # why", "{0} 5", "{0}\t"), (80, 5, 5, 4, 3, 3))[0]
    return shape.format(number)


#: The file that what runs at a load may be told to read.
LOADED = "/etc/at-load.conf"

# What sets keys at a load: {0} is a key with dots, {1} the same as a path, {2} a value of its variable.
_APPLYING = (
    "/usr/sbin/sysctl --system",
    "/usr/sbin/sysctl -q --pattern net[.]netfilter[.]nf_conntrack.* --system",
    "/usr/sbin/sysctl -p",
    "/usr/sbin/sysctl -p /etc/at-load.conf",
    "/usr/sbin/sysctl -e --load=/etc/at-load.conf",
    "/usr/sbin/sysctl -qp/etc/at-load.conf /etc/sysctl.conf",
    "/usr/sbin/sysctl /etc/sysctl.conf -f /etc/at-load.conf",
    "/usr/sbin/sysctl -e -p /etc/at-*.conf",
    "/usr/sbin/sysctl -r udp -p /etc/at-load.conf",
    "/usr/sbin/sysctl {0}={2}",
    "/usr/sbin/sysctl -w {0}={2}",
    "/usr/sbin/sysctl -qw {1}={2}",
    "/usr/sbin/sysctl -w {0} = {2}",
    "/usr/sbin/sysctl -n {0}",
    "/usr/sbin/sysctl -w net.netfilter.nf_conntrack_*={2}",
    "/usr/sbin/sysctl --pattern nothing -w {0}={2}",
    "/usr/sbin/sysctl -a {0}={2}",
    "/usr/sbin/sysctl -w -- -{0}={2}",
    "/lib/systemd/systemd-sysctl",
    "/lib/systemd/systemd-sysctl --prefix=/net/netfilter",
    "/lib/systemd/systemd-sysctl --prefix=/{1}",
    "/lib/systemd/systemd-sysctl --prefix={0} --prefix net/core",
    "/lib/systemd/systemd-sysctl --prefix=/net/netfilter/nf_conntrack_u",
    "/lib/systemd/systemd-sysctl --prefix=/net/netfilter /etc/at-load.conf",
    "/lib/systemd/systemd-sysctl 50-b.conf",
    "/lib/systemd/systemd-sysctl --cat-config",
    "/bin/sh -c 'echo {2} > /proc/sys/{1}'",
    "/bin/sh -c 'true && /usr/sbin/sysctl -w {0}={2} || /usr/sbin/sysctl --system'",
    "/bin/sh -c 'sleep 0; sysctl -w {0}={2} >/dev/null 2>&1; exit 1'",
    "/bin/sh -c \"sysctl -w '{0} = {2}'\"",
)

_EVENTS = (
    'ACTION=="add", SUBSYSTEM=="module", KERNEL=="nf_conntrack"',
    'ACTION=="add|change", KERNEL=="nf_conntrack"',
    'ACTION!="remove", SUBSYSTEM=="module", KERNEL=="nf_*"',
    'SUBSYSTEM=="module", DEVPATH=="/module/nf_conntrack"',
    'ACTION=="remove", KERNEL=="nf_conntrack"',
    'SUBSYSTEM=="net", KERNEL=="nf_conntrack"',
    'ACTION=="add", KERNEL=="nf_conntrack_ftp|br_netfilter"',
    'ACTION=="add", KERNEL!="nf_conntrack"',
    'KERNEL=="nf_conntrack", DRIVER=="?*"',
    'KERNEL=="nf_conntrack", TAG!="x"',
)


def load_tree(random: Random) -> Tree:
    """A tree of sysctl.d files with what applies them, or sets other keys, when nf_conntrack is loaded."""
    tree = sysctl_tree(random)
    values: dict[str, list[int]] = {}
    tree[LOADED] = _text(random, lambda: _sysctl_line(random, ["nf_conntrack_max", "nf_conntrack_udp_timeout"], values))

    def command() -> str:
        variable = random.choice([name for name in VARIABLES if name != "nf_conntrack_buckets"])
        key = random.choice(VARIABLES[variable][0])
        return random.choice(_APPLYING).format(key, key.replace(".", "/"), random.choice(VARIABLES[variable][1]))

    if random.random() < 0.5:
        joint = random.choice((" && ", "; ", " ; "))
        pattern = "'net[.]netfilter[.]nf_conntrack.*'"
        firewalld = f"sysctl --quiet --pattern {pattern} --system"
        line = "modprobe --ignore-install nf_conntrack $CMDLINE_OPTS" + joint + random.choice((firewalld, command()))
        tree["/usr/lib/modprobe.d/firewalld-sysctls.conf"] = f"install nf_conntrack {line}\n".encode()
    for name in random.sample(
        ("10-a.rules", "60-b.rules", "99-netops-conntrack.rules", "zz.rules"), random.randint(0, 3)
    ):
        text = "".join(_udev_line(random, command) for _number in range(random.randint(1, 3)))
        tree[f"{random.choice(BASES)}/udev/rules.d/{name}"] = text.encode()
    return tree


def _udev_line(random: Random, command: t.Callable[[], str]) -> str:
    event = random.choices(_EVENTS, (6, 2, 2, 1, 1, 1, 1, 1, 1, 1))[0]
    if random.random() < 0.1:
        return f'{event}, GOTO="end"\n' + _udev_line(random, command) + 'LABEL="end"\n'
    if random.random() < 0.1:
        return f'{event}, PROGRAM="{command()}"\n'.replace('-c "sysctl', '-c \\"sysctl').replace('\'""', '\'\\""')
    runs = random.choice((("RUN+=",), ("RUN+=",), ("RUN+=", "RUN+="), ("RUN=",), ("RUN{program}+=",), ("RUN:=",)))
    words = [f'{run}"{command()}"'.replace('-c "sysctl', '-c \\"sysctl').replace('\'""', '\'\\""') for run in runs]
    parted = random.choice((", ", ", ", " ", ", \\\n  "))
    return parted.join([event, *words]) + "\n"


#: Names that a line may have the boot load: modules, aliases of today and of before, and what is no name at all.
NAMES = (
    "nf_conntrack",
    "nf-conntrack",
    "ip_conntrack",
    "ip-conntrack",
    "nf_conntrack_ipv4",
    "nf_conntrack-2",
    "nf_conntrack_10",
    "nf_nat",
    "nf_nat_ipv4",
    "iptable_nat",
    "ipt_MASQUERADE",
    "xt_conntrack",
    "no_such_module",
    "nf_conntrack hashsize=5",
    "options nf_conntrack hashsize=5",
    "nf_conntrack.ko",
    "my_tracking",
)

_ALIASES = (
    "my_tracking",
    "my-tracking",
    "my_*",
    "nf_nat_ipv?",
    "nf_conntrack_ipv[46]",
    "no[_-]such*",
    "ip_conntrack",
    "nf_nat",
    "*",
)


def names_tree(random: Random) -> Tree:
    """A tree of modprobe.d files with aliases."""

    def line() -> bytes:
        chance = random.random()
        if chance < 0.2:
            return random.choice(
                (b"", b"# alias my_tracking nf_nat", b"alias", b"alias my_tracking", b"blacklist nf_nat")
            )
        pattern = random.choices(_ALIASES, (4, 2, 2, 2, 2, 2, 2, 1, 1))[0]
        module = random.choice(("nf_conntrack", "nf-conntrack", "nf_nat", "off", "no_such_either"))
        return _respaced(random, f"alias {pattern} {module}").encode()

    return _tree(random, "modprobe.d", lambda: b"".join(line() + b"\n" for _number in range(random.randint(0, 3))))


#: Every module and parameter of a tree.
PARAMETERS = (("nf_conntrack", "hashsize"), ("nf_conntrack", "acct"), ("nf_conntrack_ftp", "ports"))

#: Every module of a tree that something may be run in place of.
MODULES = ("nf_conntrack", "nf_nat", "nf_conntrack_ftp")

_MODPROBE_NOISE = (
    "",
    " ",
    "# options nf_conntrack hashsize=1",
    "#options nf_conntrack hashsize=1",
    " # options nf_conntrack hashsize=1",
    "options",
    "options nf_conntrack",
    "options hashsize=1",
    "install nf_conntrack",
    "install",
    "blacklist nf_conntrack",
    "alias nf_conntrack off",
    "softdep nf_conntrack pre: nf_nat",
    "remove nf_conntrack /bin/true",
    "include /etc/apart.conf",
    "Options nf_conntrack hashsize=1",
    "option nf_conntrack hashsize=1",
    "# comment \\",
    "options snd x=1 \\",
    "options nf_conntrack hashsize 1",
    "options nf_conntrack_x hashsize=1",
    "\\",
    "\\\\",
)


def modprobe_tree(random: Random) -> Tree:
    """A tree of modprobe.d files, and the kernel's command line as ``/proc/cmdline``."""
    tree = _tree(random, "modprobe.d", lambda: _modprobe_text(random))
    words = ["BOOT_IMAGE=/vmlinuz", "root=/dev/vda", "quiet"]
    for _number in range(random.choice((0, 0, 1, 2))):
        words.insert(
            random.randint(0, len(words)),
            random.choice(
                (
                    "nf_conntrack.hashsize={0}",
                    "nf-conntrack.hashsize={0}",
                    "nf_conntrack.acct={0}",
                    "nf_conntrack_ftp.ports={0}",
                    "nf_conntrack.hashsize",
                    "hashsize={0}",
                    "x.nf_conntrack.hashsize={0}",
                    "nf_conntrack.x={0}",
                    "nf_conntrack.hash-size={0}",
                    "systemd.nf_conntrack.acct={0}",
                )
            ).format(random.randint(1, 99999)),
        )
    tree["/proc/cmdline"] = random.choice((" ", " ", " ", "  ")).join(words).encode() + b"\n"
    return tree


def _modprobe_text(random: Random) -> bytes:
    text = _text(random, lambda: _modprobe_line(random))
    # What kmod makes of a backslash at a file's very end is another thing in each release.
    return text + b"\n" if text.endswith(b"\\") else text


def _modprobe_line(random: Random) -> bytes:
    chance = random.random()
    if chance < 0.2:
        line = random.choice(_MODPROBE_NOISE)
    elif chance < 0.4:
        module = random.choice((*MODULES, "nf_*", "nf?nat", "nf[_-]nat", "nf[^x]conntrack", "*", "nf_natx"))
        command = random.choice(("/bin/false", "/bin/true", "/sbin/modprobe --ignore-install nf_nat", "echo 'a  b'"))
        line = f"install {_hyphens(random, module)} {command} {random.randint(1, 99999)}"
    else:
        module, _parameter = random.choice(PARAMETERS)
        line = "options {0} {1}".format(
            _hyphens(random, module),
            " ".join(_given(random, module) for _number in range(random.choice((1, 1, 1, 2, 3)))),
        )
    return _respaced(random, line).encode("utf-8")


def _hyphens(random: Random, module: str) -> str:
    return module.replace("_", "-", random.randint(1, 2)) if random.random() < 0.2 else module


def _given(random: Random, module: str) -> str:
    parameter = random.choice([name for owner, name in PARAMETERS if owner == module] + ["hashsize", "x"])
    value = random.randint(1, 99999)
    shape = random.choices(
        (
            "{0}={1}",
            "{0}={1},2",
            '{0}="{1}"',
            '"{0}={1}"',
            "{0}",
            "{0}=",
            '{0}="a b={1}"',
            "{0} = {1}",
            "\u00e9{0}={1}",
        ),
        (80, 3, 3, 3, 2, 2, 3, 2, 2),
    )[0]
    return shape.format(parameter, value)


def _respaced(random: Random, line: str) -> str:
    chance = random.random()
    if chance < 0.6 or not line.strip():
        return line
    if chance < 0.7:
        return line.replace(" ", random.choice(("  ", "\t", " \t", " \\\n")), random.randint(1, 3))
    if chance < 0.8:
        place = random.randrange(len(line))
        return line[:place] + random.choice(("\\\n", "\\", "\\\\", "\\\n\\\n")) + line[place:]
    if chance < 0.9:
        return random.choice((" ", "\t", "  ")) + line
    return line + random.choice((" ", "\t", "\r", " # hashsize=1", " \\", "\\"))
