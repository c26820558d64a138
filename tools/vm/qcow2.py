# SPDX-License-Identifier: MIT
"""An empty disk image that QEMU keeps snapshots of a VM in.

qemu-img makes these too, but is no part of our build of QEMU.  The format is
described in QEMU's docs/interop/qcow2.txt.
"""
import os
import struct

from .errors import Problem

_CLUSTER_BITS = 16
_CLUSTER = 1 << _CLUSTER_BITS
_DISK = 1 << 20             # nobody reads or writes it
_HEADER, _TABLE, _BLOCK, _L1, _CLUSTERS = range(5)


def _header():
    return struct.pack(">4sIQIIQIIQQIIQQQQII",
                       b"QFI\xfb", 3,
                       0, 0,                        # no backing file
                       _CLUSTER_BITS, _DISK,
                       0,                           # not encrypted
                       1, _L1 * _CLUSTER,           # entries and place of the L1 table
                       _TABLE * _CLUSTER, 1,        # reference counts
                       0, 0,                        # no snapshots yet
                       0, 0, 0,                     # no features
                       4, 104)                      # 16 bits a count; this header's size


def create(path):
    """Write an image unless there is one."""
    if os.path.exists(path):
        return
    image = bytearray(_CLUSTERS * _CLUSTER)
    header = _header()
    image[:len(header)] = header
    struct.pack_into(">Q", image, _TABLE * _CLUSTER, _BLOCK * _CLUSTER)
    struct.pack_into(f">{_CLUSTERS}H", image, _BLOCK * _CLUSTER, *[1] * _CLUSTERS)
    try:
        with open(path, "xb") as file:
            file.write(image)
    except OSError as error:
        raise Problem(f"cannot create {path}: {error.strerror}") from error
