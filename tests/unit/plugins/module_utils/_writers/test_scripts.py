# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Scripts, tables and units that set keys are named with their line."""

from __future__ import annotations

import pytest

from ansible_collections.netops.conntrack.plugins.module_utils._writers import places, scripts

SET = "sysctl -w net.netfilter.nf_conntrack_max=65536"
UNIT = "/etc/systemd/system/tune.service"


def find(files, starts=None):
    return list(scripts.find(files, places.candidates(files), lambda _unit: starts))


@pytest.mark.parametrize(
    ("path", "text", "writer", "line"),
    [
        ("/etc/rc.local", f"#!/bin/sh\n{SET}\nexit 0\n", "rc.local", 2),
        ("/etc/rc.d/rc.local", f"{SET}\n", "rc.local", 1),
        ("/etc/local.d/tune.start", f"{SET}\n", "local.d", 1),
        ("/etc/crontab", f"PATH=/usr/bin\n@reboot root {SET}\n", "cron", 2),
        ("/etc/cron.d/tune", f"@reboot root {SET}\n", "cron", 1),
        ("/var/spool/cron/crontabs/root", f"@reboot {SET}\n", "cron", 1),
        ("/var/spool/cron/root", f"@reboot {SET}\n", "cron", 1),
        ("/etc/cron.daily/tune", f"#!/bin/sh\n{SET}\n", "cron", 2),
        ("/etc/NetworkManager/dispatcher.d/50-tune", f"{SET}\n", "NetworkManager dispatcher", 1),
        ("/usr/lib/NetworkManager/dispatcher.d/pre-up.d/50-tune", f"{SET}\n", "NetworkManager dispatcher", 1),
        ("/etc/network/if-up.d/tune", f"{SET}\n", "ifupdown", 1),
        ("/etc/network/interfaces", f"iface eth0 inet dhcp\n    post-up {SET}\n", "ifupdown", 2),
        ("/etc/network/interfaces.d/eth0", f"iface eth0 inet dhcp\n    up \\\n{SET}\n", "ifupdown", 2),
        ("/etc/networkd-dispatcher/routable.d/tune", f"{SET}\n", "networkd-dispatcher", 1),
        ("/etc/init.d/tune", f"{SET}\n", "init script", 1),
        ("/etc/modprobe.d/tune.conf", f"install nf_nat modprobe -i nf_nat; {SET}\n", "modprobe.d", 1),
        ("/etc/udev/rules.d/50.rules", f'SUBSYSTEM=="net", RUN+="/sbin/{SET}"\n', "udev", 1),
        ("/etc/udev/rules.d/50.rules", f'KERNEL=="nf_nat|eth*", RUN+="/sbin/{SET}"\n', "udev", 1),
        (UNIT, f"[Service]\nExecStart={SET}\n", "tune.service", 2),
        (UNIT, f"[Service]\nExecStart=/bin/sh -c 'true; \\\n    {SET}'\n", "tune.service", 2),
        ("/usr/lib/systemd/system/tune.service", f"[Service]\nExecStartPost=-{SET}\n", "tune.service", 2),
        ("/lib/systemd/system/tune.service", f"[Service]\nExecStartPost=-{SET}\n", "tune.service", 2),
        ("/etc/systemd/system/docker.service.d/x.conf", f"[Service]\nExecStartPre={SET}\n", "docker.service", 2),
    ],
)
def test_a_line_is_named_wherever_something_runs_it(files_of, told, path, text, writer, line):
    (found,) = find(files_of({path: (text, True)}))
    assert told([found]) == [("nf_conntrack_max", 65536, path, line, False)]
    assert found.writer == writer
    assert (
        found.message.startswith(f"{writer} may set nf_conntrack_max to 65536 ")
        and f"({path}:{line}: " in found.message
    )


@pytest.mark.parametrize(
    ("path", "text", "is_executable"),
    [
        ("/etc/rc.local", f"{SET}\n", False),
        ("/etc/cron.daily/tune", f"{SET}\n", False),
        ("/etc/NetworkManager/dispatcher.d/50-tune", f"{SET}\n", False),
        ("/etc/init.d/tune", f"{SET}\n", False),
        ("/etc/rc.local", f"# {SET}\n", True),
        ("/etc/network/interfaces", f"# post-up {SET}\n", False),
        ("/etc/network/interfaces", f"    description {SET}\n", False),
        ("/etc/udev/rules.d/50.txt", f'RUN+="/sbin/{SET}"\n', False),
        ("/etc/modprobe.d/x.conf", "options nf_conntrack hashsize=5\n", False),
        ("/etc/modprobe.d/00-netops-conntrack-modules.conf", f"install x {SET}\n", False),
        ("/etc/udev/rules.d/99-netops-conntrack.rules", f'RUN+="/sbin/{SET}"\n', False),
        (UNIT, f"[Unit]\nDescription={SET}\n", False),
        (UNIT, f"[Service]\n#ExecStart={SET}\n", False),
        ("/etc/systemd/system/tune.target", f"[Service]\nExecStart={SET}\n", False),
        ("/etc/systemd/system/tune.service.d/x.txt", f"[Service]\nExecStart={SET}\n", False),
        ("/etc/sysctl.d/x.conf", "net.netfilter.nf_conntrack_max = 5\n", False),
    ],
)
def test_what_is_not_run_is_not_named(files_of, path, text, is_executable):
    assert find(files_of({path: (text, is_executable)})) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (UNIT, "[Service]\nExecStart=/usr/local/sbin/tune --fast\n"),
        (UNIT, "[Service]\nExecStart=/bin/sh -c 'exec /usr/local/sbin/tune'\n"),
        ("/etc/rc.local", "#!/bin/sh\n/usr/local/sbin/tune &\n"),
        ("/etc/cron.d/tune", "@reboot root /usr/local/sbin/tune\n"),
        ("/etc/network/interfaces", "iface eth0 inet dhcp\n  up /usr/local/sbin/tune\n"),
    ],
)
def test_a_script_that_is_called_is_searched_too(files_of, told, path, text):
    script = "/usr/local/sbin/tune"
    (found,) = find(files_of({path: (text, True), script: (f"#!/bin/sh\n\n{SET}\n", True)}))
    assert told([found]) == [("nf_conntrack_max", 65536, script, 3, False)]


def test_a_file_that_is_only_named_is_no_script(files_of):
    unit = "[Service]\nExecStart=/usr/sbin/x -c /etc/x.conf /etc/y.sh\n"
    tree = {UNIT: unit, "/etc/x.conf": SET + "\n", "/etc/y.sh": "true\n"}
    assert find(files_of(tree)) == []


def test_a_sysctl_file_that_a_script_applies_is_read(files_of, told):
    tree = {
        "/etc/rc.local": ("#!/bin/sh\nsysctl -p /opt/my.conf\nsysctl -p\n", True),
        "/opt/my.conf": "net.netfilter.nf_conntrack_max = 5\n",
        "/etc/sysctl.conf": "net.netfilter.nf_conntrack_acct = 1\n",
    }
    found = find(files_of(tree))
    assert told(found) == [
        ("nf_conntrack_max", 5, "/opt/my.conf", 1, False),
        ("nf_conntrack_acct", 1, "/etc/sysctl.conf", 1, False),
    ]
    # conntrack_settings takes lines for its keys out of /etc/sysctl.conf.
    assert [one.yields for one in found] == [False, True]
    assert "/etc/rc.local:2" in found[0].message


def test_a_hashsize_of_sysctl_conf_does_not_yield_to_one_in_modprobe_d(files_of):
    tree = {
        "/etc/rc.local": ("#!/bin/sh\nsysctl -p\n", True),
        "/etc/sysctl.conf": "net.netfilter.nf_conntrack_buckets = 5\nnet.netfilter.nf_conntrack_max = 5\n",
    }
    assert {one.key: one.yields for one in find(files_of(tree))} == {
        "nf_conntrack_buckets": False,
        "nf_conntrack_max": True,
    }


def test_what_is_known_of_a_load_is_left_out_by_line_and_key(files_of):
    rules = f'KERNEL=="nf_conntrack", RUN+="/sbin/{SET}"\n'
    files = files_of({"/etc/udev/rules.d/50.rules": rules * 2, "/etc/rc.local": (SET + "\n", True)})
    asked = []

    def is_resolved(place, key):
        asked.append((place, key))
        return place.endswith(":1")

    found = list(scripts.find(files, places.candidates(files), lambda _unit: None, is_resolved))
    assert [(one.path, one.line) for one in found] == [("/etc/rc.local", 1), ("/etc/udev/rules.d/50.rules", 2)]
    assert asked == [(f"/etc/udev/rules.d/50.rules:{line}", "nf_conntrack_max") for line in (1, 2)]


@pytest.mark.parametrize("starts", [True, None, False])
def test_whether_a_boot_starts_an_init_script_is_told(files_of, starts):
    files = files_of({"/etc/init.d/tune": (f"#!/bin/sh\n{SET}\n", True)})
    asked = []
    (found,) = scripts.find(files, places.candidates(files), lambda name: asked.append(name) or starts)
    assert found.by_itself is (starts is not False) and ("which the boot does not do" in found.message) is (
        starts is False
    )
    assert asked == ["tune"]


def test_an_error_in_one_file_ends_the_search_of_that_file_alone(files_of):
    def is_started(unit):
        return 1 // (unit != "a.service")

    units = "/etc/systemd/system/"
    files = files_of({f"{units}{name}.service": f"[Service]\nExecStart={SET}\n" for name in "ab"})
    found = list(scripts.find(files, places.candidates(files), is_started))
    assert [one.path for one in found] == [f"{units}b.service"]
    ((path, reason),) = files.left_out.items()
    assert path == f"{units}a.service" and "ZeroDivisionError: " in reason


def test_of_a_very_long_line_only_the_beginning_is_searched_and_that_is_said(files_of):
    files = files_of({"/etc/rc.local": (f"echo {'x' * 20000}; {SET}\n{SET}\n", True)})
    assert [one.line for one in find(files)] == [2]
    assert files.left_out == {"/etc/rc.local": "of its lines only the first 16384 characters were searched"}


def test_the_time_also_ends_inside_a_file_and_that_is_said(files_of):
    now = [0.0]

    def clock():
        now[0] += 0.01
        return now[0]

    files = files_of({"/etc/rc.local": (f"{SET}\n" + "true\n" * 500 + f"{SET}\n", True)}, clock=clock)
    find(files)
    assert files.left_out == {"/etc/rc.local": "searched only in part, past the limit of 2 s"}


@pytest.mark.parametrize(
    ("starts", "by_itself", "words"),
    [
        (True, True, "when the boot or a timer starts it"),
        (None, True, "when it is started"),
        (False, False, "which the boot does not do"),
    ],
)
def test_whether_a_boot_starts_a_unit_is_told(files_of, starts, by_itself, words):
    (found,) = find(files_of({UNIT: f"[Service]\nExecStart={SET}\n"}), starts)
    assert found.by_itself is by_itself and words in found.message


def test_a_unit_below_etc_hides_the_packages_one_and_a_merged_usr_is_read_once(files_of, tmp_path):
    files = files_of(
        {UNIT: "[Service]\nExecStart=true\n", "/usr/lib/systemd/system/tune.service": f"ExecStart={SET}\n"}
    )
    (tmp_path / "lib").symlink_to("usr/lib")
    assert find(files) == []
    other = files_of({"/usr/lib/systemd/system/other.service": f"ExecStart={SET}\n"})
    assert len(find(other)) == 1


def test_a_value_that_no_kernel_takes_is_not_named(files_of):
    assert find(files_of({"/etc/rc.local": ("sysctl -w net.netfilter.nf_conntrack_acct=5\n", True)})) == []


def test_a_very_long_line_is_shown_from_its_beginning(files_of):
    (found,) = find(files_of({"/etc/rc.local": (SET + " # " + "x" * 5000 + "\n", True)}))
    assert len(found.message) < 300


def test_what_a_debian_host_has_needs_no_closer_look(files_of):
    tree = {
        "/etc/crontab": (
            "SHELL=/bin/sh\nPATH=/usr/local/sbin:/usr/local/bin:/sbin:/bin\n"
            "17 * * * * root cd / && run-parts --report /etc/cron.hourly\n"
        ),
        "/etc/cron.d/e2scrub_all": "30 3 * * 0 root test -e /run/systemd/system || /usr/lib/x/e2scrub_all_cron\n",
        "/etc/init.d/procps": ("sysctl -q --system\n", True),
        "/usr/lib/systemd/system/rc-local.service": "[Service]\nExecStart=/etc/rc.local start\n",
        "/usr/lib/systemd/system/nftables.service": "[Service]\nExecStart=/usr/sbin/nft -f /etc/nftables.conf\n",
        "/usr/lib/systemd/system/fstrim.service": "[Service]\nExecStart=/sbin/fstrim --listed-in /etc/fstab:/proc/x\n",
        "/usr/lib/udev/rules.d/50-x.rules": 'ACTION=="add", RUN+="/bin/true"\n',
    }
    assert places.candidates(files_of(tree)) == []
