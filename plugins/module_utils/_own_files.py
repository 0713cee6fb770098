# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collection's own files on a managed host: where they are, and what they begin with."""

from __future__ import annotations

from ansible_collections.netops.conntrack.plugins.module_utils._kernel import MODULE

SETTINGS_HEADER = "# Written by Ansible: netops.conntrack.conntrack_settings\n"
MODULES_HEADER = "# Written by Ansible: netops.conntrack.conntrack_modules\n"

# Of conntrack_settings. Names that sort after the usual ones, because the last file read wins.
SYSCTL_FILE = "/etc/sysctl.d/zz-netops-conntrack.conf"
MODPROBE_FILE = "/etc/modprobe.d/zz-netops-conntrack.conf"
UDEV_FILE = "/etc/udev/rules.d/99-netops-conntrack.rules"
LOAD_FILE = "/etc/modules-load.d/netops-conntrack.conf"

#: What that last one holds.
LOAD_TEXT = SETTINGS_HEADER + MODULE + "\n"

#: What conntrack_modules keeps modules out by. Sorts before the usual names, because of several ``install`` commands
#: for a module the first is run.
BLOCK_FILE = "/etc/modprobe.d/00-netops-conntrack-modules.conf"

#: What has the boot load a stack, by its name. Not LOAD_FILE: ``load: true`` of conntrack_settings is no business of
#: ``state: unmanaged``.
STACK_LOAD_FILES = {
    "nat": "/etc/modules-load.d/netops-conntrack-nat.conf",
    "conntrack": "/etc/modules-load.d/netops-conntrack-tracking.conf",
}
