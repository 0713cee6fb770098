# SPDX-License-Identifier: GPL-3.0-or-later
"""Test hosts: virtual machines with Debian's own kernels, quick to make and to throw away.

``image`` builds what the machines of one Debian release start from, ``kvm`` finds out whether this computer can run
them in hardware, ``machine`` runs them, and ``tools/vm`` is all of that from the command line.
"""
