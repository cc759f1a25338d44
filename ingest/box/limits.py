"""What a process that reads files may use, and how much of the work may wait for the encoder."""

from __future__ import annotations

from dataclasses import dataclass

MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one process that reads files, one after the other; time and output are those of one file.

    Time is that of the clock; the processor's own time has the same limit, which holds where the parent hangs. Memory is
    what the process may write to: 60 MiB before it reads anything, and reading Markdown and cutting it takes 13 bytes more
    for each byte of a file, of which there may be 100 million.
    """

    memory_bytes: int = 4096 * MEBIBYTE
    seconds: float = 120.0
    seconds_per_mebibyte: float = 10.0  # of the file, in addition: our slowest readers and the chunker take 1 s at rest
    output_bytes: int = 1024 * MEBIBYTE
    open_files: int = 64

    def seconds_for(self, content_bytes: int) -> float:
        """How long the reading of a file of this size may take."""
        return self.seconds + self.seconds_per_mebibyte * content_bytes / MEBIBYTE
