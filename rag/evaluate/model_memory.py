"""One form of a model in, the memory it takes out: weights held, and growth of the process while it encodes.

Measured in a process of its own, since a process that has held one model has room for the next one.
"""

from __future__ import annotations

import gc
import json
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from sql.base.errors import RagError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rag.encoder.encoder import Encoder

STATUS, CLEAR, MAPS = Path("/proc/self/status"), Path("/proc/self/clear_refs"), Path("/proc/self/smaps")
LIBRARY = re.compile(r"\.so(\.[\d.]+)?$")
# -I keeps a `rag` in the working directory out; the path of imports is the parent's.
PROGRAM = (
    "import json, sys; task = json.load(open(sys.argv[1])); sys.path[:] = task['path']; "
    "from rag.evaluate.model_report import measure_in_this_process; measure_in_this_process(task, sys.argv[2])"
)


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that an encoder takes, on top of a process with all libraries loaded; None where the system does not tell.

    `weights` are the arrays that it holds, each byte once; `loaded` is the growth of the process when it is ready, and
    `encoding` the largest growth while it encodes. Pages of libraries, which the system reads from their files as they
    are used, do not count.
    """

    weights: int
    loaded: int | None
    encoding: int | None


def measure_apart(task: dict[str, Any]) -> Memory:
    """What `measure_in_this_process` finds in a fresh process; RagError where that fails, with its last line."""
    with tempfile.TemporaryDirectory(prefix="int8-rag-") as folder:
        given, result = Path(folder) / "task.json", Path(folder) / "result.json"
        given.write_text(json.dumps(task | {"path": sys.path}), encoding="utf-8")
        ended = subprocess.run(  # noqa: S603 (our own program)
            [sys.executable, "-I", "-c", PROGRAM, str(given), str(result)], capture_output=True, text=True, check=False
        )
        if ended.returncode or not result.is_file():
            reason = (ended.stderr.strip().splitlines() or [f"exit code {ended.returncode}"])[-1]
            raise RagError(f"the memory of {task['form']} could not be measured in a process of its own: {reason}")
        return Memory(**json.loads(result.read_text(encoding="utf-8")))


def measure_encoder(load: Callable[[], Encoder], texts: Sequence[str]) -> Memory:
    """The memory that an encoder takes in this process, while it is loaded and while it encodes the texts."""
    return_freed_memory()
    before = resident("VmRSS")
    encoder = load()
    weights = held_bytes([encoder, encoder.kernel])
    return_freed_memory()
    loaded = resident("VmRSS")
    peak_is_known = forget_peak()
    encoder.encode(texts)
    peak = resident("VmHWM") if peak_is_known else None
    return Memory(
        weights,
        None if loaded is None or before is None else loaded - before,
        None if peak is None or before is None else peak - before,
    )


def resident(line: str) -> int | None:
    """Bytes of this process in memory now (VmRSS) or at most (VmHWM), from Linux; None on other systems.

    Those of libraries' files are left out: as they are now, since such pages stay once they are read.
    """
    try:
        status = STATUS.read_text(encoding="ascii", errors="replace")
        libraries = library_bytes(MAPS.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return None
    kilobytes = [each.split()[1] for each in status.splitlines() if each.startswith(f"{line}:")]
    return 1024 * int(kilobytes[0]) - libraries if kilobytes else None


def library_bytes(maps: str) -> int:
    """Bytes in memory of mapped libraries, from the text of /proc/PID/smaps.

    >>> library_bytes("7f00-7f10 r-xp 0 08:01 9 /lib/libtorch.so.2\\nRss:  64 kB\\n7f20-7f30 rw-p 0 0:0 0\\nRss:  8 kB")
    65536
    """
    total, counted = 0, False
    for line in maps.splitlines():
        words = line.split(maxsplit=5)
        if words[0] == "Rss:":
            total += 1024 * int(words[1]) if counted else 0
        elif not words[0].endswith(":"):  # the head of a mapping: addresses, rights, offset, device, inode, file
            counted = len(words) == 6 and LIBRARY.search(words[5]) is not None
    return total


def forget_peak() -> bool:
    """Starts the peak (VmHWM) anew from what is in memory now; False where the system cannot."""
    try:
        CLEAR.write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def return_freed_memory() -> None:
    """Gives what was freed back to the system, so that it counts for no form; glibc only, else nothing."""
    import ctypes

    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


# What an object holds


def held_bytes(roots: Iterable[object]) -> int:
    """Bytes of all arrays and tensors that can be reached from some objects; what two of them share counts once."""
    ranges: list[tuple[int, int]] = []
    packed = 0
    for found in reachable(roots):
        if isinstance(found, np.ndarray):
            start = found.__array_interface__["data"][0]
            ranges.append((start, start + found.nbytes))
        elif hasattr(found, "untyped_storage"):
            try:
                storage = found.untyped_storage()
                ranges.append((storage.data_ptr(), storage.data_ptr() + storage.nbytes()))
            except (RuntimeError, NotImplementedError):  # weights that oneDNN has packed have no address
                packed += found.nelement() * found.element_size()  # type: ignore[attr-defined]
    return packed + covered(ranges)


def covered(ranges: list[tuple[int, int]]) -> int:
    """How many addresses lie in at least one range of start and end.

    >>> covered([(0, 10), (5, 12), (20, 21)])
    13
    """
    total, end = 0, 0
    for start, stop in sorted(ranges):
        total += max(0, stop - max(start, end))
        end = max(end, stop)
    return total


def reachable(roots: Iterable[object]) -> Iterable[object]:
    """Every object that can be reached from some, without going through classes, modules and globals."""
    seen: dict[int, object] = {}
    waiting = list(roots)
    while waiting:
        found = waiting.pop()
        if id(found) in seen or isinstance(found, type | ModuleType | BuiltinFunctionType | str | bytes | int | float):
            continue
        seen[id(found)] = found
        if isinstance(found, FunctionType):
            waiting += [*(found.__closure__ or ()), *(found.__defaults__ or ())]
        elif type(found).__name__ == "ScriptObject":
            waiting += unpacked(found)
        else:
            waiting += gc.get_referents(found)
    return seen.values()


def unpacked(script_object: object) -> list[object]:
    """The weight and bias that torch has packed for `quantize_dynamic`."""
    from rag.encoder.kernel_float import unpack_linear

    return unpack_linear(script_object)
