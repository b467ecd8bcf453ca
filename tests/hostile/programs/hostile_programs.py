"""Programs that attack the machine, the other programs or the grading; and what must hold.

Words in capitals stand for parts of the victim: CANARY (a file), HALF1 and HALF2 (joined they are
its content, and a variable of the environment), VICTIM (a process), PORT and ABSTRACT (listening
sockets), MARK (stands in the command lines of processes that may not survive).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rlvr_fast.tasks.sandbox import Limits, ProgramResult

__all__ = ["ATTACKS", "HONEST", "Attack"]

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
def call(x86_64, arm64, *arguments):
    number = x86_64 if os.uname().machine == 'x86_64' else arm64
    return libc.syscall(number, *arguments)
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
    # -- memory of the kernel --------------------------------------------------------------------
    "memory shared and given up": Attack(
        "import mmap\n" + SPAWN + "def work():\n"
        "    shared = mmap.mmap(-1, 32 << 20)\n"
        "    for at in range(0, 32 << 20, 1 << 20):\n"
        "        shared[at:at + (1 << 20)] = b'x' * (1 << 20)\n"
        "        shared.madvise(mmap.MADV_DONTNEED, at, 1 << 20)\n"
        "    return shared\n"
        "def attempt():\n"
        "    try: return work()\n"
        "    except PermissionError: os._exit(3)\n"
        "attempt(); spawn(attempt, 9); time.sleep(60)",
        lambda result: result.outcome == "memory" or result.returncode == 3,
    ),
    "memory of a device given up": Attack(
        "import mmap, os\n"
        "file = os.open('/dev/zero', os.O_RDWR)\n"
        "print(os.read(file, 3))\n"
        "try: mmap.mmap(file, 1 << 20)\n"
        "except OSError as error: print('refused')",
        _prints("b'\\x00\\x00\\x00'\nrefused"),
    ),
    "memory in lists of access rights": Attack(
        "import os, struct\n"
        "rights = [(1, -1), *[(2, 7)] * 8000, (4, -1), (16, -1), (32, -1)]\n"
        "words = [struct.pack('<HHI', kind, 7, who & 0xffffffff) for kind, who in rights]\n"
        "value = struct.pack('<I', 2) + b''.join(words)\n"
        "os.mkdir('/tmp/d')\n"
        "for kind in ('access', 'default'):\n"
        "    try: os.setxattr('/tmp/d', f'system.posix_acl_{kind}', value); print('set')\n"
        "    except OSError: print('refused')",
        _prints("refused\nrefused"),
    ),
    "memory of terminals": Attack(
        "import os\n"
        "for path in ('/dev/ptmx', '/dev/pts/ptmx'):\n"
        "    try: os.open(path, os.O_RDWR | os.O_NOCTTY); print('opened')\n"
        "    except OSError: print('none')",
        _prints("none\nnone"),
    ),
    "memory of locks": Attack(
        "import fcntl, os\n"
        "file = open('/tmp/f', 'wb')\n"
        "for at in range(2000, 0, -2): fcntl.lockf(file, fcntl.LOCK_EX, 1, at)\n"
        "print(open(f'/proc/self/fdinfo/{file.fileno()}').read().count('lock:'))",
        _prints("0"),
    ),
    "memory of filters, rulesets, tables and policies": Attack(
        LIBC + "import struct\n"
        "step = ctypes.create_string_buffer(struct.pack('HBBI', 6, 0, 0, 0x7fff0000))\n"
        "filter = struct.pack('HxxxxxxP', 1, ctypes.addressof(step))\n"
        "network = struct.pack('QQ', 0, 3)\n"
        "os.open('/tmp', os.O_RDONLY)\n"
        "print(libc.prctl(38, 1, 0, 0, 0), refused('prctl', 22, 2, filter, 0, 0),\n"
        "      call(317, 277, 1, 0, filter) == -1, call(444, 444, network, 16, 0) == -1,\n"
        "      refused('prctl', 78, 1, 1 << 20, 0, 0), refused('prctl', 0x53564d41, 0, 0, 0, 0),\n"
        "      call(237, 235, 0, 0, 0, 0, 0, 0) == -1, call(450, 450, 0, 0, 0, 0) == -1)",
        _prints("0 True True True True True True True"),
    ),
    "memory of huge pages": Attack(
        LIBC + "print(libc.mmap(None, 1 << 21, 3, 0x40022, -1, 0) == ctypes.c_void_p(-1).value,\n"
        "      ctypes.get_errno())",
        _prints("True 1"),
    ),
    "memory behind descriptors on their way": Attack(
        "import os, socket\n"
        "a, b = socket.socketpair()\n"
        "try: socket.send_fds(a, [b'x'], [0]); print('sent')\n"
        "except OSError: print('refused')",
        _prints("refused"),
    ),
    "memory of deleted files in sockets and pipes": Attack(
        "import os, socket\n"
        "a, b = socket.socketpair()\n"
        "r, w = os.pipe()\n"
        "file = os.open('/tmp/f', os.O_RDWR | os.O_CREAT)\n"
        "os.write(file, bytes(1 << 16))\n"
        "for name, first in (('sendfile', a.fileno()), ('splice', file)):\n"
        "    arguments = (first, file, 0, 1) if name == 'sendfile' else (file, w, 1, 0)\n"
        "    try: getattr(os, name)(*arguments); print('sent')\n"
        "    except OSError: print('refused')",
        _prints("refused\nrefused"),
    ),
    "priorities": Attack(
        "import os, resource\n"
        "try: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)); print('set')\n"
        "except OSError: print('refused')\n"
        "limits = resource.RLIMIT_RTPRIO, resource.RLIMIT_NICE\n"
        "print(*map(resource.getrlimit, limits))",
        _prints("refused\n(0, 0) (0, 0)"),
    ),
}

# What honest programs do, and the walls come close to.
HONEST = {
    "SQLite in a file": "import sqlite3\n"
    "with sqlite3.connect('/tmp/x.db') as base:\n"
    "    base.execute('create table t (a)'); base.execute('insert into t values (1)')\n"
    "print(sqlite3.connect('/tmp/x.db').execute('select a from t').fetchall())",
    "asyncio": "import asyncio\n"
    "async def main():\n"
    "    process = await asyncio.create_subprocess_exec('echo', 'x', stdout=-1)\n"
    "    await asyncio.gather(*(asyncio.sleep(0.01) for _ in range(9)))\n"
    "    return (await process.communicate())[0], await asyncio.to_thread(sum, [1, 2])\n"
    "print(asyncio.run(main()))",
    "processes": "import multiprocessing as m\n"
    "from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor\n"
    "if __name__ == '__main__':\n"
    "    with m.Pool(2) as pool: print(pool.map(abs, [-1, 2]))\n"
    "    with ProcessPoolExecutor(2) as pool: print(list(pool.map(abs, [-1])))\n"
    "    with ThreadPoolExecutor(2) as pool: print(list(pool.map(abs, [-1])))\n"
    "    value, lock, queue = m.Value('i', 3), m.Lock(), m.Queue()\n"
    "    with lock: queue.put(1)\n"
    "    print(value.value, queue.get(), m.Array('d', 3)[0])",
    "files": "import shutil, tempfile, zoneinfo, os, mmap, pathlib\n"
    "pathlib.Path('/tmp/a').write_text('x' * 10**6)\n"
    "print(shutil.copy2('/tmp/a', '/tmp/b'), shutil.copytree('/program', '/tmp/c'))\n"
    "with tempfile.TemporaryFile() as file, open('/tmp/b') as other:\n"
    "    shutil.copyfileobj(other.buffer, file)\n"
    "    print(file.tell(), len(mmap.mmap(other.fileno(), 0, prot=mmap.PROT_READ)))\n"
    "print(zoneinfo.ZoneInfo('UTC'), os.path.exists('/usr/lib'))",
    "libraries": "import ctypes, decimal, json, random, threading, uuid, socket, hashlib\n"
    "thread = threading.Thread(target=print, args=('thread',)); thread.start(); thread.join()\n"
    "a, b = socket.socketpair(); a.send(b'x'); print(b.recv(1))\n"
    "import subprocess; print(subprocess.run(['cat', __file__], stdout=-1).returncode)\n"
    "subprocess.run('cp /program/main.py /tmp/x && head -c 2 /dev/zero | wc -c', shell=True)",
}
