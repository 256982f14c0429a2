"""How the system says that a disk is full."""

from __future__ import annotations

import errno

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}  # also a quota, and the largest size of a file


def is_full(error: OSError) -> bool:
    """Return whether writing has failed because the disk, or what the user may have of it, is full."""
    return error.errno in _FULL
