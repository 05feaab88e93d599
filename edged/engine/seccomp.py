"""A filter of system calls for a process that runs what nobody has tried: no network, no way out.

It is a classic seccomp filter, so it works without privileges and where a service may make no
namespaces (systemd's ``RestrictNamespaces=``). What it denies fails with EPERM: making a socket
of any kind but netlink (which reaches the kernel alone, and which libusb needs for an Edge TPU),
io_uring (which can make sockets), running another program, and reaching into other processes.

Sources: linux/seccomp.h, linux/filter.h, and the tables of system calls of the three machines.
"""

from __future__ import annotations

import ctypes
import platform
import struct

import msgspec

_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2

_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # BPF_LD|W|ABS, BPF_JMP|.., BPF_RET
_NUMBER_AT, _MACHINE_AT, _FIRST_ARGUMENT_AT = 0, 4, 16  # in struct seccomp_data, little-endian
_ALLOW, _DENY, _KILL = 0x7FFF0000, 0x00050000 | 1, 0x80000000  # 1: EPERM

_AF_NETLINK = 16
_IO_URING_SETUP, _PIDFD_GETFD = 425, 438  # the same everywhere
_X32_BIT = 0x40000000  # x86_64's second table of calls, which no program of ours uses


class _Machine(msgspec.Struct, frozen=True):
    """``audit``: its AUDIT_ARCH; ``denied``: execve, execveat, ptrace, process_vm_*."""

    audit: int
    socket: int
    denied: tuple[int, ...]


_MACHINES = (
    _Machine(0xC000003E, 41, (59, 322, 101, 310, 311)),  # x86_64
    _Machine(0xC00000B7, 198, (221, 281, 117, 270, 271)),  # aarch64
    _Machine(0x40000028, 281, (11, 387, 26, 376, 377)),  # arm: also 32-bit programs on aarch64
)
_KNOWN = ("x86_64", "aarch64", "armv6l", "armv7l", "armv8l")


def deny_the_outside(libc: ctypes.CDLL) -> None:
    """Filter this thread and those it will start. Raises OSError where the kernel does not.

    Needs "no new privileges" to be set. Does nothing on machines that edged is not made for.
    """
    if platform.machine() not in _KNOWN:
        return
    code = b"".join(map(_section, _MACHINES)) + _step(_RETURN, _KILL)
    steps = ctypes.create_string_buffer(code, len(code))
    # struct sock_fprog: the number of steps, and where they are.
    program = struct.pack("@HP", len(code) // 8, ctypes.addressof(steps))
    if libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, program, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the kernel takes no filter of system calls")


def _section(machine: _Machine) -> bytes:
    """What holds for one machine; falls through to the next where it is another."""
    denied = (*machine.denied, _IO_URING_SETUP, _PIDFD_GETFD)
    checks = [(_AT_LEAST, _X32_BIT), *((_EQUAL, number) for number in denied)]
    # Behind the checks: 0 socket?, 1 its family, 2 netlink?, 3 deny, 4 allow.
    steps = [_step(_LOAD, _NUMBER_AT)]
    for place, (test, number) in enumerate(checks):
        steps.append(_step(test, number, yes=len(checks) - place - 1 + 3))
    steps += [
        _step(_EQUAL, machine.socket, no=3),
        _step(_LOAD, _FIRST_ARGUMENT_AT),
        _step(_EQUAL, _AF_NETLINK, yes=1),
        _step(_RETURN, _DENY),
        _step(_RETURN, _ALLOW),
    ]
    which = [_step(_LOAD, _MACHINE_AT), _step(_EQUAL, machine.audit, no=len(steps))]
    return b"".join(which + steps)


def _step(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    """A struct sock_filter; ``yes`` and ``no`` are how many steps to jump over."""
    return struct.pack("=HBBI", code, yes, no, value)
