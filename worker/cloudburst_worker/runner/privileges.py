"""What the superuser gives up before it runs a user's code: writing where the permissions say read-only.

The payload and the inputs are shared by every job of the node and are not writable. To root that
means nothing, and a job that overwrites a file beside it would change what all others read.
"""

from __future__ import annotations

import ctypes
import os
import sys

_CAP_DAC_OVERRIDE = 1
_PR_CAPBSET_DROP = 24
_VERSION_3 = 0x20080522


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Set(ctypes.Structure):
    _fields_ = [
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    ]


def respect_permissions() -> None:
    """On Linux, as root: no more passing over the permissions of files, here and in what is started from here.

    Reading stays free (that is a capability of its own). Elsewhere, or where it is forbidden, nothing happens.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_CAPBSET_DROP, _CAP_DAC_OVERRIDE, 0, 0, 0)
    header, sets = _Header(_VERSION_3, 0), (_Set * 2)()
    if libc.capget(ctypes.byref(header), sets) != 0:
        return
    keep = ~(1 << _CAP_DAC_OVERRIDE) & 0xFFFFFFFF
    for name in ("effective", "permitted", "inheritable"):
        setattr(sets[0], name, getattr(sets[0], name) & keep)
    libc.capset(ctypes.byref(header), sets)
