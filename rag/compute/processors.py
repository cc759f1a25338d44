"""How many processors this process may keep busy: those it may run on, and no more than its CPU quota pays for.

Containers are limited by a quota (`docker run --cpus`, a CPU limit of Kubernetes): the process sees every core of the
machine, and is stopped for the rest of each period once its share of it is used up.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

CONTROL_GROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


def usable_processors(groups: Path = CONTROL_GROUPS, membership: Path = MEMBERSHIP) -> int:
    """Processors that this process may run on, or the quota of its control groups rounded up, whichever is less."""
    quotas = [quota for folder in group_folders(groups, membership) if (quota := group_quota(folder)) is not None]
    return min([allowed_processors(), *(max(1, math.ceil(quota)) for quota in quotas)])


def allowed_processors() -> int:
    """The processors of this process's affinity; all where the system knows none."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1


def group_folders(groups: Path, membership: Path) -> list[Path]:
    """The folders of this process's control groups that may hold a quota: each with those above it, up to the root.

    A line of /proc/self/cgroup is `number:controllers:path`; version 2 names no controllers. In a container the path is
    that of the host at times, while the folder seen is the container's own: then its root is all there is.
    """
    try:
        lines = membership.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    folders = []
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:
            roots = [groups, groups / "unified"]
        elif "cpu" in controllers.split(","):
            roots = [groups / controllers, groups / "cpu"]
        else:
            continue
        below = Path(path.lstrip("/"))
        folders += [root / part for root in roots for part in (below, *below.parents) if ".." not in part.parts]
    return folders


def group_quota(folder: Path) -> float | None:
    """How many processors a control group may keep busy; None where it has no quota.

    Version 2 has one file, `cpu.max`: "150000 100000" or "max 100000". Version 1 has two, and -1 for none.
    """
    try:
        quota, period = (folder / "cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        try:
            quota, period = (
                (folder / f"cpu.cfs_{part}_us").read_text(encoding="ascii").strip() for part in ("quota", "period")
            )
        except (OSError, ValueError):
            return None
    if not (quota.isdecimal() and period.isdecimal() and int(period) > 0):
        return None
    return int(quota) / int(period)
