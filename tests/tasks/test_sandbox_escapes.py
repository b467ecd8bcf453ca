"""Programs that try to leave the sandbox or to starve the machine from inside it."""

from __future__ import annotations

import errno
import os
import struct

import pytest

from rlvr_fast.tasks.sandbox import Limits, run_program, syscall_filter, unavailable_reason
from rlvr_fast.tasks.sandbox.seccomp import program_filter

needs_bubblewrap = pytest.mark.skipif(
    unavailable_reason() is not None, reason=str(unavailable_reason())
)
needs_filter = pytest.mark.skipif(
    syscall_filter() is None, reason="no system call filter for this kind of processor"
)
LIMITS = Limits(cpu_seconds=4, wall_seconds=10, memory_mb=256, disk_mb=16)
CALL = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *arguments):
    result = getattr(libc, name)(*arguments)
    print(name, "refused" if result == -1 else "done", os.strerror(ctypes.get_errno()))
"""


def run(source):
    return run_program({"main.py": source}, ["python", "main.py"], limits=LIMITS)


@needs_bubblewrap
@needs_filter
def test_memory_that_no_process_maps_is_refused():
    result = run(
        CALL + "call('memfd_create', b'x', 0)\n"
        "call('shmget', 0, 64 << 20, 0o1600)\n"
        "call('msgget', 0, 0o1600)\n"
        "call('mq_open', b'/x', os.O_CREAT | os.O_RDWR, 0o600, None)"
    )
    lines = result.stdout.decode().splitlines()
    assert len(lines) == 4, result
    assert all(line.endswith("refused Operation not permitted") for line in lines), lines


@needs_bubblewrap
@pytest.mark.parametrize("folder", ["/tmp", "/dev/shm"])
def test_files_in_memory_are_bounded_together(folder):
    result = run(
        "written = 0\n"
        "try:\n"
        "    for number in range(64):\n"
        f"        with open(f'{folder}/{{number}}', 'wb', buffering=0) as file:\n"
        "            written += file.write(bytes(1 << 20))\n"
        "except OSError as error:\n"
        "    print(error.strerror)\n"
        "print(written >> 20)"
    )
    reason, mebibytes = result.stdout.decode().split("\n")[:2]
    assert reason == "No space left on device"
    assert 8 <= int(mebibytes) <= LIMITS.disk_mb


@needs_bubblewrap
@needs_filter
def test_namespaces_debuggers_and_kernel_interfaces_are_refused():
    result = run(
        CALL + "call('unshare', 0x10000000)\n"
        "call('mount', b'none', b'/tmp', b'tmpfs', 0, None)\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    import time; time.sleep(2); os._exit(0)\n"
        "call('ptrace', 16, child, 0, 0)\n"
        "call('process_vm_readv', child, None, 0, None, 0, 0)\n"
        "call('syscall', 425, 8, ctypes.create_string_buffer(240))\n"  # io_uring_setup
        "call('syscall', 321 if os.uname().machine == 'x86_64' else 280, 5, 0, 0)\n"  # bpf
    )
    lines = result.stdout.decode().splitlines()
    assert len(lines) == 6, result
    assert all(line.endswith("refused Operation not permitted") for line in lines), lines


@needs_bubblewrap
@needs_filter
def test_sockets_other_than_pairs_of_streams_are_refused():
    result = run(
        "import socket\n"
        # unix, inet, inet6, netlink; vsock reaches the hypervisor; alg; packet
        "for family in (1, 2, 10, 16, 40, 38, 17):\n"
        "    try:\n"
        "        socket.socket(family, socket.SOCK_STREAM)\n"
        "    except OSError as error:\n"
        "        print(error.errno)\n"
        "for kind in (socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):\n"
        "    try:\n"
        "        socket.socketpair(socket.AF_UNIX, kind)\n"
        "    except OSError as error:\n"
        "        print(error.errno)\n"
        "left, right = socket.socketpair()\n"
        "try:\n"
        "    left.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)\n"
        "except OSError as error:\n"
        "    print(error.errno)\n"
        "left.send(b'x'); print(right.recv(1))"
    )
    assert result.stdout.decode().split("\n")[:11] == [str(errno.EPERM)] * 10 + ["b'x'"], result


@needs_bubblewrap
def test_calls_of_ordinary_programs_are_allowed():
    result = run(
        "import asyncio, multiprocessing, subprocess, sys, tempfile, threading\n"
        "async def two(): return 2\n"
        "def square(x): return x * x\n"
        "if __name__ == '__main__':\n"
        "    results = [asyncio.run(two())]\n"
        "    thread = threading.Thread(target=results.append, args=(3,)); thread.start()\n"
        "    thread.join()\n"
        "    with multiprocessing.get_context('fork').Pool(2) as pool:\n"
        "        results += pool.map(square, [2, 3])\n"
        "    command = [sys.executable, '-c', 'print(5)']\n"
        "    results.append(int(subprocess.run(command, capture_output=True).stdout))\n"
        "    with tempfile.NamedTemporaryFile() as file: results.append(file.write(b'six'))\n"
        "    print(results)"
    )
    assert result.stdout == b"[2, 3, 4, 9, 5, 3]\n", result


@needs_bubblewrap
def test_signals_do_not_leave_the_sandbox():
    result = run(
        "import os\n"
        "for target in (os.getppid(), 1, -1):\n"
        "    try: os.kill(target, 9)\n"
        "    except OSError: pass\n"
        "print('still here')"
    )
    # where root grades, the visible parent is another user's; elsewhere its end ends the sandbox
    assert result.outcome == "exited"
    assert (result.returncode, result.stdout) == (0, b"still here\n") or os.geteuid() != 0


@needs_bubblewrap
def test_links_do_not_leave_the_sandbox():
    result = run(
        "import os\n"
        "for target in ('/etc/passwd', '/etc/hostname', '/proc/1/root/root', '/var', '/sys'):\n"
        "    os.symlink(target, '/tmp/link')\n"
        "    try:\n"
        "        print(os.listdir('/tmp/link') if target > '/proc' else open('/tmp/link').read())\n"
        "    except OSError: print('no')\n"
        "    os.unlink('/tmp/link')"
    )
    assert result.stdout == b"no\n" * 5, result


# -- the filter itself ---------------------------------------------------------------------------

ALLOWED, KILLED = 0x7FFF0000, 0x80000000
REFUSED = 0x00050000 | errno.EPERM


def verdict(program, architecture, number, *arguments):
    """The kernel's decision: classic BPF on one struct seccomp_data."""
    words = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    data = struct.pack("=iIQ6Q", number, architecture, 0, *words)
    instructions = list(struct.iter_unpack("=HBBI", program))
    place, value = 0, 0
    while True:
        code, yes, no, constant = instructions[place]
        place += 1
        if code == 0x06:
            return constant
        if code == 0x20:
            (value,) = struct.unpack_from("=I", data, constant)
        elif code == 0x54:
            value &= constant
        else:
            met = {
                0x15: value == constant,
                0x35: value >= constant,
                0x45: bool(value & constant),
            }[code]
            place += yes if met else no


X86_64 = {"read": 0, "memfd": 319, "clone": 56, "socket": 41, "socketpair": 53, "fcntl": 72}
AARCH64 = {"read": 63, "memfd": 279, "clone": 220, "socket": 198, "socketpair": 199, "fcntl": 25}


@pytest.mark.parametrize(
    ("machine", "architecture", "numbers"),
    [("x86_64", 0xC000003E, X86_64), ("aarch64", 0xC00000B7, AARCH64)],
)
def test_the_filter_refuses_the_listed_calls_alone(machine, architecture, numbers):
    program = syscall_filter(machine)
    assert len(program) % 8 == 0
    assert len(program) // 8 < 4096  # BPF_MAXINSNS
    assert verdict(program, architecture, numbers["read"]) == ALLOWED
    assert verdict(program, architecture, numbers["memfd"]) == REFUSED
    assert verdict(program, architecture, 425) == REFUSED
    assert verdict(program, architecture, 435) == 0x00050000 | errno.ENOSYS
    assert verdict(program, architecture, numbers["clone"], 0x11) == ALLOWED
    assert verdict(program, architecture, numbers["clone"], 0x10000011) == REFUSED
    assert {verdict(program, architecture, numbers["socket"], family) for family in (1, 2, 40)} == {
        REFUSED
    }
    pair = numbers["socketpair"]
    stream, datagram, flags = 1, 2, 0o2004000  # SOCK_CLOEXEC | SOCK_NONBLOCK
    assert verdict(program, architecture, pair, 1, stream) == ALLOWED
    assert verdict(program, architecture, pair, 1, stream | flags) == ALLOWED
    assert verdict(program, architecture, pair, 1, datagram | flags) == REFUSED
    assert verdict(program, architecture, pair, 2, stream) == REFUSED
    assert verdict(program, architecture, numbers["fcntl"], 3, 2) == ALLOWED
    assert verdict(program, architecture, numbers["fcntl"], 3, 1031) == REFUSED
    assert verdict(program, 0x40000003, 0) == KILLED  # 32-bit calls have other numbers
    if machine == "x86_64":
        assert verdict(program, architecture, 0x40000000 | 319) == REFUSED


OF_PROGRAMS = [
    ("x86_64", 0xC000003E, {"mmap": 9, "prctl": 157, "fcntl": 72, "setxattr": 188, "sendmsg": 46}),
    (
        "aarch64",
        0xC00000B7,
        {"mmap": 222, "prctl": 167, "fcntl": 25, "setxattr": 5, "sendmsg": 211},
    ),
]


@pytest.mark.parametrize(("machine", "architecture", "numbers"), OF_PROGRAMS)
def test_programs_are_refused_more_than_workers(machine, architecture, numbers):
    program, counted = program_filter(machine), program_filter(machine, shared_memory=False)
    granted = 0x00050000  # the call gives 0 and does nothing

    def of(name, *arguments):
        return verdict(program, architecture, numbers[name], *arguments)

    assert of("setxattr") == of("sendmsg") == verdict(program, architecture, 445) == REFUSED
    assert verdict(syscall_filter(machine), architecture, numbers["sendmsg"]) == ALLOWED
    assert verdict(program, architecture, 449) == ALLOWED
    for unknown in (450, 463, 100_000):
        assert verdict(program, architecture, unknown) == 0x00050000 | errno.ENOSYS
    assert verdict(program, architecture, 435) == 0x00050000 | errno.ENOSYS
    assert verdict(program, architecture, 425) == REFUSED
    assert of("prctl", 15) == of("prctl", 38) == of("fcntl", 3, 2) == ALLOWED
    assert of("prctl", 22) == of("prctl", 78) == 0x00050000 | errno.EINVAL
    assert of("fcntl", 3, 1031) == REFUSED
    assert {of("fcntl", 3, command) for command in (6, 7, 37, 38)} == {granted}
    private, shared, huge = 0x22, 0x21, 0x40022
    for flags, here, elsewhere in (
        (private, ALLOWED, ALLOWED),
        (shared, ALLOWED, REFUSED),
        (shared | 2, ALLOWED, REFUSED),  # MAP_SHARED_VALIDATE
        (0x01, ALLOWED, ALLOWED),  # of a file
        (huge, REFUSED, REFUSED),
    ):
        assert of("mmap", 0, 0, 0, flags) == here
        assert verdict(counted, architecture, numbers["mmap"], 0, 0, 0, flags) == elsewhere


def test_an_unknown_processor_has_no_filter():
    assert program_filter("riscv64") is None
    assert syscall_filter("riscv64") is None
