"""What a program that reads untrusted sound may ask of the kernel: read, compute, write to its pipe, run threads.

Decides the list. Everything else is answered as if the kernel did not know the call, for which any program must be
ready: no socket, no new process, no namespace, no way to open a file for writing, no memory that is code and can be
written, no signal that stops another. libseccomp turns the list into the kernel's own form, for the processor at hand.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import functools
import mmap
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass

LIBRARY = "libseccomp.so.2"

CALLS = """
    read readv pread64 preadv write writev close close_range lseek _llseek dup dup2 dup3
    fstat fstat64 newfstatat fstatat64 stat stat64 lstat lstat64 statx statfs statfs64 fstatfs fstatfs64
    access faccessat faccessat2 readlink readlinkat getcwd getdents getdents64
    fadvise64 fadvise64_64 arm_fadvise64_64 pipe pipe2
    poll ppoll ppoll_time64 select _newselect pselect6 pselect6_time64
    brk munmap mremap madvise membarrier
    futex futex_time64 set_robust_list get_robust_list rseq set_tid_address sched_yield sched_getaffinity
    rt_sigaction rt_sigprocmask rt_sigreturn sigreturn sigaltstack restart_syscall
    clock_gettime clock_gettime64 clock_getres clock_getres_time64 gettimeofday time times getrusage
    nanosleep clock_nanosleep clock_nanosleep_time64
    getpid getppid gettid getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32
    getresuid getresuid32 getresgid getresgid32 getrlimit ugetrlimit
    uname sysinfo getrandom arch_prctl set_tls cacheflush execve wait4 exit exit_group
""".split()
# What Debian's ffmpeg and espeak-ng ask for [traced, amd64, every format], and the names of that on arm64 and armhf.
# execve and wait4 are bubblewrap's, which is under the filter already when it starts the program and waits for it.

CLONE_NEW = 0x7E02_0080
CLONE_THREAD = 0x0001_0000
# A thread, and in no namespace of its own. clone3, whose flags no filter can see, is not there: glibc then asks for
# clone.
TERMINAL_QUESTIONS = (0x5401, 0x5413, 0x5450, 0x5451)
# TCGETS, TIOCGWINSZ, FIONCLEX, FIOCLEX.
ABOUT_ITSELF = (15, 16, 23, 0x5356_4D41)
# PR_SET_NAME, PR_GET_NAME, PR_CAPBSET_READ (libcap asks on its way in), PR_SET_VMA.
OF_A_DESCRIPTOR = (
    *(fcntl.F_DUPFD, fcntl.F_DUPFD_CLOEXEC),
    *(fcntl.F_GETFD, fcntl.F_SETFD, fcntl.F_GETFL, fcntl.F_SETFL),
)
# Not F_SETOWN and F_SETSIG: by them a pipe sends any signal to anybody of the same user. Whoever stopped the worker so
# would outlive the agent's hanging up, and eight of them leave no place where an emergency could be spoken.
WRITING = os.O_ACCMODE | os.O_CREAT | os.O_TRUNC
CODE_AND_DATA = mmap.PROT_WRITE | mmap.PROT_EXEC


@dataclass(frozen=True, slots=True)
class Where:
    """Allowed only where the call's argument number ``argument``, seen through ``mask``, is ``value``."""

    call: str
    argument: int
    mask: int
    value: int


WHERE = (
    Where("clone", 0, CLONE_NEW | CLONE_THREAD, CLONE_THREAD),
    Where("open", 1, WRITING, os.O_RDONLY),
    Where("openat", 2, WRITING, os.O_RDONLY),
    *(Where(call, 2, mmap.PROT_EXEC, 0) for call in ("mmap", "mmap2", "mprotect")),
    *(Where(call, 2, CODE_AND_DATA, mmap.PROT_EXEC) for call in ("mmap", "mmap2")),
    *(Where("ioctl", 1, 0xFFFF_FFFF, question) for question in TERMINAL_QUESTIONS),
    *(Where("prctl", 0, 0xFFFF_FFFF, option) for option in ABOUT_ITSELF),
    *(Where(call, 1, 0xFFFF_FFFF, command) for call in ("fcntl", "fcntl64") for command in OF_A_DESCRIPTOR),
    # What abort() asks for: of another's process too, but that one is ended by it, and takes all the rest along.
    Where("tgkill", 2, 0xFFFF_FFFF, signal.SIGABRT),
    # Its limits may be read, not set.
    Where("prlimit64", 2, 0xFFFF_FFFF_FFFF_FFFF, 0),
)

ALLOW = 0x7FFF_0000
UNKNOWN_CALL = 0x0005_0000 | errno.ENOSYS
MASKED_EQUAL = 7
# SCMP_ACT_ALLOW, SCMP_ACT_ERRNO, SCMP_CMP_MASKED_EQ.


class NoFilter(Exception):
    """libseccomp is not there, or refuses; nothing may run then."""


@functools.cache
def program() -> bytes:
    """The filter as the kernel reads it, for whoever puts another process under it. Raises NoFilter."""
    library, context = _filled()
    with os.fdopen(os.memfd_create("filter"), "w+b") as file:
        _checked(library.seccomp_export_bpf(context, file.fileno()), "export")
        file.seek(0)
        return file.read()


def loader() -> Callable[[], None]:
    """What puts the process that calls it under the filter, for good. Raises NoFilter, and so does what is returned."""
    library, context = _filled()
    return lambda: _checked(library.seccomp_load(context), "load")


class _Comparison(ctypes.Structure):
    """struct scmp_arg_cmp."""

    _fields_ = (
        ("argument", ctypes.c_uint),
        ("how", ctypes.c_int),
        ("mask", ctypes.c_uint64),
        ("value", ctypes.c_uint64),
    )


def _filled() -> tuple[ctypes.CDLL, int]:
    """libseccomp, and the list as it holds it. Never given back: a process makes one or two of them."""
    library = _library()
    context: int = library.seccomp_init(UNKNOWN_CALL)
    for call in CALLS:
        _allow(library, context, call)
    for where in WHERE:
        _allow(library, context, where.call, _Comparison(where.argument, MASKED_EQUAL, where.mask, where.value))
    return library, context


def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError as exc:
        raise NoFilter(f"no call filter: {exc}") from exc
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_init.argtypes = (ctypes.c_uint32,)
    library.seccomp_syscall_resolve_name.argtypes = (ctypes.c_char_p,)
    library.seccomp_rule_add_array.argtypes = (
        *(ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint),
        ctypes.POINTER(_Comparison),
    )
    library.seccomp_export_bpf.argtypes = (ctypes.c_void_p, ctypes.c_int)
    library.seccomp_load.argtypes = (ctypes.c_void_p,)
    return library


def _allow(library: ctypes.CDLL, context: int, call: str, where: _Comparison | None = None) -> None:
    number = library.seccomp_syscall_resolve_name(call.encode())
    if number < 0:
        return  # not a call of this processor
    conditions = (_Comparison * 1)(where) if where else None
    _checked(library.seccomp_rule_add_array(context, ALLOW, number, int(where is not None), conditions), call)


def _checked(failed: int, what: str) -> None:
    if failed:
        raise NoFilter(f"no call filter: {what}: {os.strerror(-failed)}")
