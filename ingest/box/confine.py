"""A process gives up what it does not need to read files: memory without end, files to write, the network, other processes.

What holds depends on the system. Limits of resources are everywhere, though macOS does not keep those of memory. On
Linux there is seccomp, a filter of system calls, and from Linux 5.13 on Landlock, which leaves of the file system only
what programs are made of: none of the user's files can be opened. Nothing here can be undone by the process itself.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import signal
import sys
import sysconfig
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest.box.limits import MEBIBYTE
from ingest.box.system_calls import MACHINES, SECCOMP, system_call_filter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ingest.box.limits import Limits

RESOURCES, SYSTEM_CALLS, FILE_SYSTEM = "limits of resources", "seccomp", "Landlock"
PROTECTIONS = (RESOURCES, SYSTEM_CALLS, FILE_SYSTEM)  # all that there are
SPARE_ADDRESSES = 4096 * MEBIBYTE  # beside memory that is written to: libraries, files, stacks of threads
_DIES_WITH_PARENT, _NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 1, 38, 22, 2  # of prctl
_SET_FILTER, _ALL_THREADS = 1, 1  # of seccomp
# Of Landlock: the numbers are the same on all processors.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION, _BENEATH = 1, 1
_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}  # by version
_NETWORK_RIGHTS, _SCOPES = 0b11, 0b11  # bind and connect from version 4, abstract sockets and signals from 6
_SYSTEM_FOLDERS = ("/usr", "/lib", "/lib64", "/opt", "/nix/store", "/etc/ld.so.cache", "/etc/localtime")
_HARMLESS = ("/dev/null", "/dev/urandom", "/dev/zero", "/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu")


def die_with(parent: int) -> bool:
    """Has the kernel of Linux end this process when its parent is gone; False where it is gone already.

    Elsewhere the end of its input tells the process, as soon as it has read the file that it has.
    """
    if sys.platform == "linux":
        _libc().prctl(_DIES_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
    return os.getppid() == parent


def confine(limits: Limits) -> list[str]:
    """Takes everything away; returns which of PROTECTIONS hold now. To be called before there are threads."""
    held = [RESOURCES]
    limit_resources(limits)
    if sys.platform != "linux":
        return held
    _libc().prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    if restrict_files():
        held.append(FILE_SYSTEM)
    if filter_system_calls():
        held.append(SYSTEM_CALLS)
    return [one for one in PROTECTIONS if one in held]


def limit_resources(limits: Limits) -> None:
    """Memory, files, and no dump of a crash. What the system has lower already stays so."""
    wanted = {
        resource.RLIMIT_DATA: limits.memory_bytes,
        resource.RLIMIT_AS: limits.memory_bytes + SPARE_ADDRESSES,
        resource.RLIMIT_NOFILE: limits.open_files,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for kind, value in wanted.items():
        _, hard = resource.getrlimit(kind)
        lower = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with suppress(ValueError, OSError):  # macOS knows some of them and refuses to set them
            resource.setrlimit(kind, (lower, lower))


def limit_time(seconds: float) -> None:
    """The processor's time that this process may use from now on; the kernel ends it after that."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    until = int(used.ru_utime + used.ru_stime + seconds) + 1
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (until if hard == resource.RLIM_INFINITY else min(until, hard), hard))


def filter_system_calls() -> bool:
    """Installs the filter; whether the kernel took it."""
    machine = MACHINES.get(platform.machine())
    if machine is None:
        return False
    code = ctypes.create_string_buffer(system_call_filter(machine, os.getpid()))

    class Program(ctypes.Structure):
        """struct sock_fprog."""

        _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))

    program = Program((len(code) - 1) // 8, ctypes.addressof(code))
    if _call(SECCOMP[platform.machine()], _SET_FILTER, _ALL_THREADS, ctypes.byref(program)) == 0:
        return True
    return bool(_libc().prctl(_SET_SECCOMP, _FILTER, ctypes.byref(program), 0, 0) == 0)


def restrict_files() -> bool:
    """Leaves of the file system what Python and libraries are read from, and nothing to write; whether that worked."""
    version = _call(_CREATE_RULESET, None, 0, _VERSION)
    if version < 1:
        return False

    class Ruleset(ctypes.Structure):
        """struct landlock_ruleset_attr; older kernels know its beginning."""

        _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scopes", ctypes.c_uint64))

    rights = _FILE_RIGHTS[min(version, max(_FILE_RIGHTS))]
    handled = Ruleset(rights, _NETWORK_RIGHTS if version >= 4 else 0, _SCOPES if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = _call(_CREATE_RULESET, ctypes.byref(handled), size, 0)
    if ruleset < 0:
        return False
    try:
        for path in readable_places():
            _allow_reading(ruleset, path)
        return _call(_RESTRICT_SELF, ruleset, 0) == 0
    finally:
        os.close(ruleset)


def _allow_reading(ruleset: int, path: str) -> None:
    class Beneath(ctypes.Structure):
        """struct landlock_path_beneath_attr."""

        _pack_ = 1
        _layout_ = "ms"
        _fields_ = (("rights", ctypes.c_uint64), ("place", ctypes.c_int32))

    with suppress(OSError):  # not every system has every place
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            rights = _READ_FILE | (_READ_FOLDER if Path(path).is_dir() else 0)
            _call(_ADD_RULE, ruleset, _BENEATH, ctypes.byref(Beneath(rights, place)), 0)
        finally:
            os.close(place)


def readable_places() -> Iterator[str]:
    """Where programs and libraries are: the system's, Python's, and what is imported from.

    The working directory, where a user's documents may be, is none, even where Python would import from there; of our
    own source the packages themselves are, not the folder that they are in.
    """
    yield from (*_SYSTEM_FOLDERS, *_HARMLESS, sys.prefix, sys.base_prefix)
    yield from {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    here = Path(__file__).resolve().parents[2]
    yield from (str(here / name) for name in ("ingest", "rag", "sql"))
    yield from _import_places(sys.path, {str(here), str(Path.cwd())})


def _import_places(places: Iterable[str], without: set[str]) -> Iterator[str]:
    yield from (place for place in places if place and os.path.realpath(place) not in without)


def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def _call(number: int, *arguments: Any) -> int:
    """A system call that the C library has no function for."""
    wide = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    call = _libc().syscall
    call.restype = ctypes.c_long
    return int(call(ctypes.c_long(number), *wide))
