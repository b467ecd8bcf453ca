"""Programs that attack the machine, the other programs or the grading; and what must hold.

Words in capitals stand for parts of the victim: CANARY (a file), HALF1 and HALF2 (joined they are
its content, and a variable of the environment), VICTIM (a process), PORT and ABSTRACT (listening
sockets), MARK (stands in the command lines of processes that may not survive).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rlvr_fast.tasks.sandbox import Limits, ProgramResult

__all__ = ["ATTACKS", "Attack"]

ENDING = Limits(cpu_seconds=20, wall_seconds=60, memory_mb=256, disk_mb=16)
ENDLESS = Limits(cpu_seconds=60, wall_seconds=2, memory_mb=256, disk_mb=16, output_bytes=1 << 20)


@dataclass(frozen=True, slots=True)
class Attack:
    """One hostile program.

    Attributes:
        source: the program.
        holds: what is to be true of the result; the world of the victim is checked for all.
        limits: under which it runs.
    """

    source: str
    holds: Callable[[ProgramResult], bool]
    limits: Limits = ENDING


def _ends_by(*outcomes: str) -> Callable[[ProgramResult], bool]:
    return lambda result: result.outcome in outcomes


def _exits(code: int) -> Callable[[ProgramResult], bool]:
    return lambda result: (result.outcome, result.returncode) == ("exited", code)


def _prints(text: str) -> Callable[[ProgramResult], bool]:
    return lambda result: (result.outcome, result.stdout.decode().strip()) == ("exited", text)


TRY = """
def attempt(call, *arguments):
    try:
        call(*arguments)
    except (OSError, ValueError) as error:
        return False
    return True
"""
LIBC = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
def refused(name, *arguments):
    return getattr(libc, name)(*arguments) == -1
"""
SPAWN = """
import os, time
def spawn(work, most=64):
    n = 0
    try:
        while n < most:
            if os.fork() == 0:
                kept = work()
                time.sleep(60)
                os._exit(0)
            n += 1
    except OSError:
        pass
    return n
"""
TOUCH = """
def touch(mebibytes):
    x = bytearray(mebibytes << 20)
    for i in range(0, len(x), 4096): x[i] = 1
    return x
"""

ATTACKS = {
    # -- processes -------------------------------------------------------------------------------
    "fork bomb": Attack(
        "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass  # MARK",
        _ends_by("timeout", "memory"),
        ENDLESS,
    ),
    "thread bomb": Attack(
        "import threading, time\nn = 0\n"
        "try:\n"
        "    while n < 1000:\n"
        "        threading.Thread(target=time.sleep, args=(60,), daemon=True).start(); n += 1\n"
        "except RuntimeError: pass\n"
        "print(n < 32, flush=True)\n"
        "import os; os._exit(0)",
        _prints("True"),
    ),
    "survivors": Attack(
        "import os, sys\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        for n in range(3): os.close(n)\n"
        "        os.execv(sys.executable, [sys.executable, '-c', 'import time; time.sleep(99)',"
        " 'MARK'])\n"
        "    os._exit(0)\n"
        "os.wait(); print('done')",
        _prints("done"),
    ),
    "sleeps": Attack("import time; time.sleep(99)  # MARK", _ends_by("timeout"), ENDLESS),
    "ignores signals": Attack(
        "import signal, time\n"
        "for number in range(1, 65):\n"
        "    try: signal.signal(number, signal.SIG_IGN)\n"
        "    except (OSError, ValueError): pass\n"
        "while True: time.sleep(1)",
        _ends_by("timeout"),
        ENDLESS,
    ),
    "handles the signal of the processor limit": Attack(
        "import resource, signal\n"
        "signal.signal(signal.SIGXCPU, lambda *_: None)\n"
        "resource.setrlimit(resource.RLIMIT_CPU, (1, resource.getrlimit(resource.RLIMIT_CPU)[1]))\n"
        "while True: pass",
        _ends_by("timeout"),
        Limits(cpu_seconds=2, wall_seconds=30, memory_mb=256),
    ),
    "closes its output and runs on": Attack(
        "import os, time\nfor n in range(64):\n"
        "    try: os.close(n)\n"
        "    except OSError: pass\n"
        "while True: time.sleep(1)",
        _ends_by("timeout"),
        ENDLESS,
    ),
    "raises its own limits": Attack(
        TRY + "import os, resource\n"
        "names = ['CPU', 'AS', 'NPROC', 'NOFILE', 'FSIZE', 'CORE', 'SIGPENDING']\n"
        "limits = [getattr(resource, 'RLIMIT_' + name) for name in names]\n"
        "print(sum(attempt(resource.setrlimit, one, (1 << 40, 1 << 40)) for one in limits),\n"
        "      attempt(os.nice, -5))",
        _prints("0 False"),
    ),
    # -- memory ----------------------------------------------------------------------------------
    "memory of children of a thread": Attack(
        SPAWN + TOUCH + "import threading\n"
        "t = threading.Thread(target=lambda: (spawn(lambda: touch(150), 4), time.sleep(60)))\n"
        "t.start(); t.join()",
        _ends_by("memory"),
    ),
    "memory of orphans": Attack(
        SPAWN + TOUCH + "for _ in range(4):\n"
        "    if os.fork() == 0:\n"
        "        spawn(lambda: touch(150), 1); os._exit(0)\n"
        "time.sleep(60)",
        _ends_by("memory"),
    ),
    "memory behind a first thread that has ended": Attack(
        SPAWN + TOUCH + "import ctypes, threading\n"
        "def hold():\n"
        "    path = f'/proc/{os.getpid()}/stat'\n"
        "    while b') Z' not in open(path, 'rb').read(): time.sleep(0.001)\n"
        "    x = touch(150); time.sleep(60)\n"
        "def work():\n"
        "    threading.Thread(target=hold).start()\n"
        "    ctypes.CDLL(None).syscall(60 if os.uname().machine == 'x86_64' else 93, 0)\n"
        "spawn(work, 4); time.sleep(60)",
        _ends_by("memory"),
    ),
    "memory shared until it is written": Attack(
        SPAWN + "x = bytearray(100 << 20)\n"
        "def write():\n"
        "    for i in range(0, len(x), 4096): x[i] = 1\n"
        "spawn(write, 8); time.sleep(60)",
        _ends_by("memory"),
    ),
    "endless file": Attack(
        "try: open('/dev/zero', 'rb').read()\nexcept MemoryError: print('MemoryError')",
        _prints("MemoryError"),
    ),
    "files without a name": Attack(
        "import errno, os\nkept, n = [], 0\n"
        "for folder in ('/tmp', '/dev/shm'):\n"
        "    try:\n"
        "        for i in range(20):\n"
        "            f = open(f'{folder}/{i}', 'wb', 0); os.unlink(f.name); kept.append(f)\n"
        "            for _ in range(10): n += f.write(bytes(1 << 20))\n"
        "    except OSError as error: assert error.errno == errno.ENOSPC\n"
        "print(n <= 2 * (16 << 20))",
        _prints("True"),
    ),
    "sockets full of data": Attack(
        SPAWN + "import socket\n"
        "def hoard():\n"
        "    kept = []\n"
        "    try:\n"
        "        while True:\n"
        "            pair = socket.socketpair(); kept += pair\n"
        "            for s in pair:\n"
        "                s.setblocking(False)\n"
        "                try:\n"
        "                    while True: s.send(bytes(1 << 16))\n"
        "                except BlockingIOError: pass\n"
        "    except OSError: return kept\n"
        "spawn(hoard); kept = hoard(); time.sleep(60)",
        _ends_by("memory"),
    ),
    "larger buffers": Attack(
        TRY + LIBC + "import fcntl, socket\n"
        "r, w = os.pipe()\n"
        "a, b = socket.socketpair()\n"
        "print(attempt(fcntl.fcntl, w, 1031, 1 << 20),\n"
        "      attempt(a.setsockopt, socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20),\n"
        "      attempt(socket.socket, socket.AF_UNIX), attempt(socket.socket, socket.AF_INET),\n"
        "      attempt(socket.socketpair, socket.AF_UNIX, socket.SOCK_DGRAM),\n"
        "      refused('vmsplice', w, None, 0, 0), refused('inotify_init'),\n"
        "      refused('memfd_create', b'x', 0), refused('shmget', 0, 4096, 0o1600),\n"
        "      refused('mq_open', b'/x', os.O_CREAT | os.O_RDWR, 0o600, None))",
        _prints("False False False False False True True True True True"),
    ),
    "many descriptors": Attack(
        "import os\nn = 0\ntry:\n    while True: os.dup(0); n += 1\nexcept OSError: print(n < 64)",
        _prints("True"),
    ),
    "pipes full of data": Attack(
        SPAWN + "def hoard():\n"
        "    n = 0\n"
        "    try:\n"
        "        while True:\n"
        "            r, w = os.pipe(); os.set_blocking(w, False)\n"
        "            try:\n"
        "                while True: n += os.write(w, bytes(1 << 16))\n"
        "            except BlockingIOError: pass\n"
        "            os.close(w)\n"
        "    except OSError: return n\n"
        "print(hoard() <= 64 << 16)",
        _prints("True"),
    ),
    "deep recursion": Attack(
        "import sys\nsys.setrecursionlimit(10**9)\n"
        "class A:\n"
        "    def __getattr__(self, name): return getattr(self, name + 'x')\n"
        "A().x",
        lambda result: result.outcome in ("exited", "memory") and result.returncode != 0,
    ),
    # -- output and input ------------------------------------------------------------------------
    "endless lines": Attack("while True: print('x' * 1000)", _ends_by("output"), ENDING),
    "endless line": Attack(
        "import os\nwhile True: os.write(1, b'x' * 65536)", _ends_by("output"), ENDING
    ),
    "huge traceback": Attack("raise ValueError('x' * 10**7)", _ends_by("output"), ENDING),
    "does not read its input": Attack("print('done')", _prints("done")),
    "closes its input": Attack("import os; os.close(0); print('done')", _prints("done")),
    # -- exit codes ------------------------------------------------------------------------------
    "exits with 137": Attack("import sys; sys.exit(137)", _exits(137)),
    "exits with 124": Attack("import os; os._exit(124)", _exits(124)),
    "exits with 139": Attack("import sys; sys.exit(139)", _exits(139)),
    "exits with 152": Attack("import sys; sys.exit(152)", _exits(152)),
    "kills itself": Attack("import os; os.kill(os.getpid(), 9)", _exits(-9)),
    "crashes": Attack("import ctypes; ctypes.string_at(0)", _exits(-11)),
    "writes to every descriptor": Attack(
        "import os, sys\n"
        "for pid in ['self', 1, os.getppid()]:\n"
        "    try: numbers = os.listdir(f'/proc/{pid}/fd')\n"
        "    except OSError: continue\n"
        "    for n in numbers:\n"
        "        if (pid, n) not in (('self', '1'), ('self', '2')):\n"
        "            path = f'/proc/{pid}/fd/{n}'\n"
        "            try: os.write(os.open(path, os.O_WRONLY | os.O_NONBLOCK), b'0 0.0\\n')\n"
        "            except OSError: pass\n"
        "for n in range(3, 1000):\n"
        "    try: os.write(n, b'0 0.0\\n')\n"
        "    except OSError: pass\n"
        "sys.exit(3)",
        _exits(3),
    ),
    # -- the machine -----------------------------------------------------------------------------
    "writes outside": Attack(
        TRY
        + "names = ['CANARY', '/usr/x', '/etc/x', '/x', '/program/main.py', '/proc/VICTIM/mem',\n"
        "         '/proc/sys/kernel/hostname', '/proc/sysrq-trigger', '/dev/x', '/dev/mem',\n"
        "         '/sys/fs/cgroup/x', '/python/x']\n"
        "print(sum(attempt(open, name, 'w') for name in names))",
        _prints("0"),
    ),
    "links to the machine": Attack(
        TRY + "import os\nn = 0\n"
        "for target in ('CANARY', '/etc/passwd', '/etc/hostname', '/proc/1/root/etc/shadow'):\n"
        "    os.symlink(target, f'/tmp/{n}'); os.symlink(f'/tmp/{n}', f'/tmp/{n}x')\n"
        "    n += attempt(open, f'/tmp/{n}x') + attempt(open, f'/tmp/{n}x', 'w')\n"
        "    os.unlink(f'/tmp/{n}'); os.unlink(f'/tmp/{n}x')\n"
        "print(n)",
        _prints("0"),
    ),
    "looks for secrets": Attack(
        "import os, pathlib\nfound = []\n"
        "for folder in pathlib.Path('/proc').glob('[0-9]*'):\n"
        "    for name in ('environ', 'cmdline'):\n"
        "        try: found.append((folder / name).read_bytes())\n"
        "        except OSError: pass\n"
        "for top in ('/tmp', '/program', '/dev/shm', '/home', '/root', '/work', '/run', '/etc'):\n"
        "    for folder, _, names in os.walk(top):\n"
        "        for name in names:\n"
        "            try: found.append(open(os.path.join(folder, name), 'rb').read(10**6))\n"
        "            except OSError: pass\n"
        "everything = b''.join(found) + repr(os.environ).encode()\n"
        "print('-'.join(['HALF1', 'HALF2']).encode() in everything)",
        _prints("False"),
    ),
    "network": Attack(
        TRY + "import socket\n"
        "print(attempt(socket.create_connection, ('127.0.0.1', PORT), 2),\n"
        "      attempt(lambda: socket.socket(socket.AF_UNIX).connect('\\0ABSTRACT')))",
        _prints("False False"),
    ),
    "signals": Attack(
        "import os, signal\n"
        "signal.signal(15, signal.SIG_IGN)\n"
        "for target in (VICTIM, -VICTIM, 1, -1):\n"
        "    try: os.kill(target, 15)\n"
        "    except OSError: pass\n"
        "print('done')",
        _ends_by("exited"),
    ),
    "debugger": Attack(
        LIBC + "print(refused('ptrace', 16, os.getppid(), 0, 0), refused('ptrace', 0, 0, 0, 0),\n"
        "      refused('process_vm_readv', os.getppid(), None, 0, None, 0, 0))\n",
        _prints("True True True"),
    ),
    "namespaces": Attack(
        LIBC + "print(refused('unshare', 0x10000000), refused('chroot', b'/tmp'),\n"
        "      refused('mount', b'none', b'/tmp', b'tmpfs', 0, None), refused('setuid', 0),\n"
        "      refused('setns', 0, 0))",
        _prints("True True True True True"),
    ),
    "files that an interpreter loads": Attack(
        "import os\n"
        "for name in ('sitecustomize.py', 'usercustomize.py', 'resource.py', 'os.py'):\n"
        "    open('/tmp/' + name, 'w').write('print(\"loaded\")')\n"
        "os.makedirs('/tmp/.local/lib')\n"
        "os.environ.update(LD_PRELOAD='/tmp/x.so', PYTHONPATH='/tmp', PYTHONSTARTUP='/tmp/os.py')\n"
        "print('done')",
        _prints("done"),
    ),
    "locks and timers": Attack(
        LIBC + "n = 0\n"
        "timer = ctypes.c_void_p()\n"
        "while n < 5000 and libc.timer_create(0, None, ctypes.byref(timer)) == 0: n += 1\n"
        "print(n < 1000)",
        _prints("True"),
    ),
}
