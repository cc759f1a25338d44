"""What keeps the processes that read files from harm on this machine, in a sentence: one is started and says so."""

from __future__ import annotations

from ingest.box.confine import PROTECTIONS
from ingest.box.limits import Limits
from ingest.box.process import Crashed, ReadingProcess


def describe_protections() -> str:
    """Which protections hold in a process that was started for this, and which this system does not have."""
    process = None
    try:
        process = ReadingProcess.start(Limits())
        process.wait_until_ready(None)
    except Crashed as error:
        return f"no files of other programs: one {error}"
    finally:
        if process is not None:
            process.close()
    missing = [name for name in PROTECTIONS if name not in process.held]
    return f"in processes with {' and '.join(process.held)}" + (f", without {' and '.join(missing)}" if missing else "")
