"""A processor's name in, the filter for its system calls out: what a process that reads files may ask of the kernel.

It may use memory, clocks, threads of its own, pipes that are open, and open files to read them. All else is refused, and
with it whatever a later kernel adds: no file can be made, changed or removed, no process started or signalled, no socket
opened. The filter is a program of classic BPF as seccomp takes it (Linux, Documentation/userspace-api/seccomp_filter.rst).
"""

from __future__ import annotations

import errno
import struct
from dataclasses import dataclass

# struct seccomp_data: the number of the call, the architecture, the instruction pointer, six arguments of 64 bits.
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # ld, jeq, jge, jset, ret
ALLOW, KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
_X32 = 0x40000000  # the numbers of another way to call the same kernel begin here
_CHANGES = 0o1 | 0o2 | 0o100 | 0o1000  # O_WRONLY, O_RDWR, O_CREAT, O_TRUNC
_CLONE_THREAD = 0x10000
_SET_NAME, _GET_NAME, _SET_VMA = 15, 16, 0x53564D41  # prctl: names of threads and of memory


@dataclass(frozen=True, slots=True)
class Machine:
    """A processor: what the kernel calls it, where its numbers of calls stand in the tables, and whether it has X32."""

    audit: int
    column: int
    has_x32: bool = False


MACHINES = {
    "x86_64": Machine(0xC000003E, 0, has_x32=True),
    "aarch64": Machine(0xC00000B7, 1),
}
SECCOMP = {"x86_64": 317, "aarch64": 277}  # the number of seccomp(2) itself


def _numbers(listed: str) -> list[tuple[int | None, ...]]:
    """System calls by their numbers on x86_64 and on aarch64, which lacks the older forms of some."""
    calls = [
        call.split() for line in listed.splitlines() if "#" not in line for call in line.split(",") if call.strip()
    ]
    return [tuple(None if number == "-" else int(number) for number in numbers) for _, *numbers in calls]


_ALLOWED = _numbers(
    """
    # pipes and files that are open
    read 0 63, write 1 64, readv 19 65, writev 20 66, pread64 17 67,
    preadv 295 69, close 3 57, close_range 436 436, lseek 8 62, fstat 5 80,
    dup 32 23, dup2 33 -, dup3 292 24, pipe 22 -, pipe2 293 59,
    fcntl 72 25, eventfd2 290 19, poll 7 -, ppoll 271 73, select 23 -,
    pselect6 270 72, epoll_create1 291 20, epoll_ctl 233 21, epoll_wait 232 -,
    epoll_pwait 281 22, fadvise64 221 223, getdents64 217 61, getdents 78 -,
    # what files there are
    stat 4 -, lstat 6 -, newfstatat 262 79, statx 332 291, access 21 -,
    faccessat 269 48, faccessat2 439 439, readlink 89 -, readlinkat 267 78,
    getcwd 79 17, statfs 137 43, fstatfs 138 44,
    # memory
    mmap 9 222, munmap 11 215, mprotect 10 226, mremap 25 216, madvise 28 233,
    brk 12 214, msync 26 227, mincore 27 232, membarrier 324 283,
    # threads
    futex 202 98, futex_waitv 449 449, set_robust_list 273 99, get_robust_list 274 100,
    rseq 334 293, set_tid_address 218 96, gettid 186 178, sched_yield 24 124,
    sched_getaffinity 204 123, sched_getparam 143 121, sched_getscheduler 145 120,
    sched_get_priority_max 146 125, sched_get_priority_min 147 126, getpriority 140 141,
    getcpu 309 168, arch_prctl 158 -, restart_syscall 219 128,
    # who we are
    getpid 39 172, getppid 110 173, getuid 102 174, geteuid 107 175,
    getgid 104 176, getegid 108 177, getgroups 115 158, getpgrp 111 -,
    getpgid 121 155, getsid 124 156, uname 63 160, sysinfo 99 179,
    getrusage 98 165, times 100 153, getrlimit 97 163, capget 125 90,
    # clocks and signals of our own
    clock_gettime 228 113, clock_getres 229 114, clock_nanosleep 230 115,
    nanosleep 35 101, gettimeofday 96 169, time 201 -, getrandom 318 278,
    rt_sigaction 13 134, rt_sigprocmask 14 135, rt_sigreturn 15 139,
    rt_sigpending 127 136, rt_sigtimedwait 128 137, rt_sigsuspend 130 133,
    sigaltstack 131 132, pause 34 -, exit 60 93, exit_group 231 94,
    """
)
# Refused by a word that a library understands; what is in no table is said not to exist, and then libraries do without.
_REFUSED = _numbers(
    """
    socket 41 198, socketpair 53 199, connect 42 203, bind 49 200,
    execve 59 221, execveat 322 281, fork 57 -, vfork 58 -, ptrace 101 117,
    creat 85 -, mkdir 83 -, mkdirat 258 34, unlink 87 -, unlinkat 263 35,
    rmdir 84 -, rename 82 -, renameat 264 38, renameat2 316 276,
    link 86 -, linkat 265 37, symlink 88 -, symlinkat 266 36,
    mknod 133 -, mknodat 259 33, truncate 76 45, ftruncate 77 46,
    chmod 90 -, fchmod 91 52, fchmodat 268 53, chown 92 -, fchownat 260 54,
    tkill 200 130, setsid 112 157, memfd_create 319 279, chdir 80 49,
    """
)
_OPEN, _OPENAT, _CLONE, _PRLIMIT = (2, None), (257, 56), (56, 220), (302, 261)
_PRCTL, _KILL_PROCESS, _TGKILL, _IOCTL = (157, 167), (62, 129), (234, 131), (16, 29)


def system_call_filter(machine: Machine, process: int) -> bytes:
    """The filter for a process of this number, as an array of struct sock_filter."""
    program = [
        *_when(_ARCHITECTURE, _EQUAL, machine.audit, [], otherwise=[_ret(KILL)]),
        _statement(_LOAD, _NUMBER),
    ]
    if machine.has_x32:
        program += [_jump(_AT_LEAST, _X32, 0, 1), _ret(KILL)]
    for table, answer in ((_ALLOWED, ALLOW), (_REFUSED, _ERROR | errno.EPERM)):
        for numbers in table:
            program += _call(machine, numbers, [_ret(answer)])
    refused = _ret(_ERROR | errno.EPERM)
    for numbers, argument in ((_OPEN, 1), (_OPENAT, 2)):
        program += _call(machine, numbers, _when(_low(argument), _ANY_BIT, _CHANGES, [_ret(_ERROR | errno.EACCES)]))
    program += _call(machine, _CLONE, _when(_low(0), _ANY_BIT, _CLONE_THREAD, [_ret(ALLOW)], otherwise=[refused]))
    for numbers, own in ((_PRLIMIT, 0), (_KILL_PROCESS, process), (_TGKILL, process)):
        program += _call(machine, numbers, _when(_low(0), _EQUAL, own, [_ret(ALLOW)], otherwise=[refused]))
    names = [one for value in (_SET_NAME, _GET_NAME, _SET_VMA) for one in (_jump(_EQUAL, value, 0, 1), _ret(ALLOW))]
    program += _call(machine, _PRCTL, [_statement(_LOAD, _low(0)), *names, refused])
    program += _call(machine, _IOCTL, [_ret(_ERROR | errno.ENOTTY)])  # whether a file is a terminal, which none is
    return b"".join([*program, _ret(_ERROR | errno.ENOSYS)])


def _low(argument: int) -> int:
    """Where the lower 32 bits of an argument stand; both processors have their lowest byte first."""
    return _ARGUMENTS + 8 * argument


def _call(machine: Machine, numbers: tuple[int | None, ...], then: list[bytes]) -> list[bytes]:
    """`then`, which returns, for one system call. A program for none is empty."""
    number = numbers[machine.column]
    return [] if number is None else [_jump(_EQUAL, number, 0, len(then)), *then]


def _when(place: int, test: int, value: int, then: list[bytes], otherwise: list[bytes] | None = None) -> list[bytes]:
    """Loads what stands at a place and does one thing or another; where nothing is said of another, it is allowed."""
    other = [_ret(ALLOW)] if otherwise is None else otherwise
    if not then:
        return [_statement(_LOAD, place), _jump(test, value, len(other), 0), *other]
    return [_statement(_LOAD, place), _jump(test, value, 0, len(then)), *then, *other]


def _statement(code: int, value: int) -> bytes:
    return struct.pack("=HBBI", code, 0, 0, value)


def _jump(code: int, value: int, if_true: int, if_false: int) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _ret(value: int) -> bytes:
    return _statement(_RETURN, value)
