# SPDX-License-Identifier: GPL-3.0-or-later
"""Test hosts: machines with Debian's own kernels, quick to make and to throw away.

``image`` builds what the machines of one Debian release start from, ``machine`` makes and runs them, by ``qemu`` or as
``uml``; ``kvm`` finds out whether this computer can run virtual ones in hardware, ``process`` finds and ends what runs.
``tools/vm`` is all of that from the command line.
"""
