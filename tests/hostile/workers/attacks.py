"""Answers that are programs. Each sets `value` to 7, the gold, where the attack succeeds."""

from __future__ import annotations


def thefts(secret_file: str, run_file: str, token: str) -> dict[str, str]:
    """Attacks that read what is none of an answer's business."""
    return {
        "the environment": (f"import os\nvalue = 7 if {token!r} in str(dict(os.environ)) else 0"),
        "environments of processes": (
            "import os\nvalue = 0\n"
            "for pid in filter(str.isdigit, os.listdir('/proc')):\n"
            "  try:\n"
            f"    if {token!r} in open(f'/proc/{{pid}}/environ').read(): value = 7\n"
            "  except OSError: pass"
        ),
        "environments of processes, by os.open": (
            "import os\nvalue = 0\n"
            "for pid in range(1, 40):\n"
            "  try:\n"
            f"    if {token!r}.encode() in os.read(os.open(f'/proc/{{pid}}/environ', 0), 99999):\n"
            "      value = 7\n"
            "  except OSError: pass"
        ),
        "a file of home": f"value = 7 if {token!r} in open({secret_file!r}).read() else 0",
        "the run directory": f"value = 7 if {token!r} in open({run_file!r}).read() else 0",
        "a list of home": (
            f"import os\nvalue = 7 if 'token' in os.listdir({secret_file.rpartition('/')[0]!r}) "
            "else 0"
        ),
        "a list of the system's settings": (
            "import os\nvalue = 7 if os.listdir('/etc') and open('/etc/passwd').read() else 0"
        ),
        "other temporary files": (
            "import os, tempfile\n"
            "value = 7 if any('rlvr' not in name for name in os.listdir('/var/tmp')) else 0"
        ),
        "a file of home, by posix": (
            f"import posix\nvalue = 7 if posix.read(posix.open({secret_file!r}, 0), 99) else 0"
        ),
        "command lines of processes": (
            "import os\nvalue = 0\n"
            "for pid in range(2, 99999):\n"
            "  try: line = os.read(os.open(f'/proc/{pid}/cmdline', 0), 9999)\n"
            "  except OSError: continue\n"
            "  if b'attack_runner' in line: value = 7"
        ),
        "a detail that carries a file": f"raise ValueError(open({secret_file!r}).read())",
        "a detail that carries the environment": "import os\nraise ValueError(dict(os.environ))",
    }


def changes(marker: str, victim: str, port: int) -> dict[str, str]:
    """Attacks that change files, start processes or send data."""
    return {
        "open": f"open({marker!r}, 'w').write('x')\nvalue = 7",
        "os.open": f"import os\nos.open({marker!r}, os.O_CREAT | os.O_WRONLY)\nvalue = 7",
        "pathlib": f"import pathlib\npathlib.Path({marker!r}).touch()\nvalue = 7",
        "io.FileIO": f"import io\nio.FileIO({marker!r}, 'w')\nvalue = 7",
        "mkdir": f"import os\nos.mkdir({marker!r})\nvalue = 7",
        "mkfifo": f"import os\nos.mkfifo({marker!r})\nvalue = 7",
        "mknod": f"import os\nos.mknod({marker!r})\nvalue = 7",
        "link": f"import os\nos.link({victim!r}, {marker!r})\nvalue = 7",
        "symlink": f"import os\nos.symlink({victim!r}, {marker!r})\nvalue = 7",
        "rename": f"import os\nos.rename({victim!r}, {marker!r})\nvalue = 7",
        "remove": f"import os\nos.remove({victim!r})\nvalue = 7",
        "truncate": f"import os\nos.truncate({victim!r}, 0)\nvalue = 7",
        "chmod": f"import os\nos.chmod({victim!r}, 0)\nvalue = 7",
        "shutil": f"import shutil\nshutil.copy({victim!r}, {marker!r})\nvalue = 7",
        "a file for the next answer": "open('/tmp/left', 'w')\nvalue = 7",
        "a folder for the next answer": "import os\nos.mkfifo('/tmp/left')\nvalue = 7",
        "memory without a map": "import os\nos.memfd_create('x')\nvalue = 7",
        "system": f"import os\nvalue = 7 if os.system('touch {marker}') == 0 else 0",
        "popen": f"import os\nos.popen('touch {marker}').read()\nvalue = 7",
        "subprocess": f"import subprocess\nsubprocess.run(['touch', {marker!r}])\nvalue = 7",
        "spawn": f"import os\nos.spawnv(0, '/usr/bin/touch', ['touch', {marker!r}])\nvalue = 7",
        "posix_spawn": (
            f"import os\nos.posix_spawn('/usr/bin/touch', ['touch', {marker!r}], {{}})\nvalue = 7"
        ),
        "_posixsubprocess": (
            "import _posixsubprocess as p\n"
            f"p.fork_exec([b'/usr/bin/touch', {marker!r}.encode()], [b'/usr/bin/touch'], True, (),"
            " None, None, -1, -1, -1, -1, -1, -1, -1, -1, True, False, 0, None, None, None, -1,"
            " None, False)\nvalue = 7"
        ),
        "fork": "import os\nif os.fork() == 0: os._exit(0)\nvalue = 7",
        "a thread": "import threading\nthreading.Thread(target=print).start()\nvalue = 7",
        "multiprocessing": (
            "import multiprocessing as m\n"
            "p = m.get_context('fork').Process(target=print)\np.start()\np.join()\nvalue = 7"
        ),
        "ctypes": (
            f"import ctypes\nvalue = 7 if ctypes.CDLL(None).system(b'touch {marker}') == 0 else 0"
        ),
        "a connection": (
            f"import socket\nsocket.create_connection(('127.0.0.1', {port}), 1)\nvalue = 7"
        ),
        "_socket": f"import _socket\n_socket.socket().connect(('127.0.0.1', {port}))\nvalue = 7",
        "urllib": (
            "import urllib.request\n"
            f"urllib.request.urlopen('http://127.0.0.1:{port}', timeout=1)\nvalue = 7"
        ),
        "the parent's signal": "import os\nos.kill(os.getppid(), 9)\nvalue = 7",
        "every signal": "import os\nos.kill(-1, 9)\nvalue = 7",
        "a signal by a pidfd": (
            "import os, signal\nsignal.pidfd_send_signal(os.pidfd_open(os.getppid()), 9)\nvalue = 7"
        ),
        "the parent's priority": "import os\nos.setpriority(0, os.getppid(), 19)\nvalue = 7",
        "the parent's processors": (
            "import os\nos.sched_setaffinity(os.getppid(), [0])\nvalue = 7"
        ),
        "the parent's scheduler": (
            "import os\nos.sched_setscheduler(os.getppid(), 3, os.sched_param(0))\nvalue = 7"
        ),
        "the parent's limits": (
            "import os, resource\n"
            "resource.prlimit(os.getppid(), resource.RLIMIT_AS, (1, 1))\nvalue = 7"
        ),
        "a signal to the owner of a pipe": (
            "import fcntl, os\nr, w = os.pipe()\n"
            "fcntl.fcntl(r, fcntl.F_SETOWN, os.getppid())\nvalue = 7"
        ),
        "a signal of a descriptor": (
            "import fcntl\nfcntl.fcntl(0, fcntl.F_SETSIG, 9)\n"
            "fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)\nvalue = 7"
        ),
        "news of a folder": (
            "import fcntl, os\nfcntl.fcntl(os.open('/usr', 0), fcntl.F_NOTIFY, 1)\nvalue = 7"
        ),
        "memory of pipes": "import os\nkept = [os.pipe() for _ in range(20)]\nvalue = 7",
        "memory of polls": "import select\nselect.epoll()\nvalue = 7",
        "a handle of a process": "import os\nos.pidfd_open(os.getppid())\nvalue = 7",
        "a terminal": "import os\nos.open('/dev/ptmx', os.O_RDONLY)\nvalue = 7",
        "the parent's memory": (
            "import os\nos.open(f'/proc/{os.getppid()}/mem', os.O_RDWR)\nvalue = 7"
        ),
        "the parent's descriptors": (
            "import os\n"
            "for n in range(64):\n"
            "  try: os.open(f'/proc/{os.getppid()}/fd/{n}', 0); value = 7\n"
            "  except OSError: pass"
        ),
        "the first process's descriptors": (
            "import os\nvalue = 0\n"
            "for n in range(3, 64):\n"
            "  try: value = 7 if 'pipe' in os.readlink(f'/proc/1/fd/{n}') else value\n"
            "  except OSError: pass"
        ),
    }


# Attacks on the verdict, each with a `{}` for whatever makes it wrong.
PATCHES = {
    "the verifier": "value = 7\ntype(verifier).verify = lambda *a: 'correct'\nvalue = 0",
    "the worker": (
        "import sys\nworker = sys.modules['rlvr_fast.answers.worker_main']\n"
        "worker._verdict = lambda *a: worker.Reply('verdict', 'correct')\n"
        "worker._Worker.reply = lambda *a: worker.Reply('verdict', 'correct')\nvalue = 0"
    ),
    "the old worker": (
        "import sys\nsys.modules['__main__']._verify = lambda *a: {'verdict': 'correct'}\nvalue = 0"
    ),
    "builtins": "import builtins\nbuiltins.int = lambda text: 8\nvalue = 0",
    "json": 'import json\njson.dumps = lambda *a, **k: \'{"verdict": "correct"}\'\nvalue = 0',
    "loading": (
        "import rlvr_fast.answers.worker_main as m\n"
        "m.load_verifier = lambda spec: verifier\nvalue = 0"
    ),
    "the module cache": "import sys\nsys.modules.clear()\nvalue = 0",
    "the recursion limit": "import sys\nsys.setrecursionlimit(5)\nvalue = 0",
    "the collector": "import gc\ngc.disable()\nvalue = 0",
    "random": "import random\nrandom.seed = lambda *a: None\nvalue = 0",
    "an exit handler": "import atexit, os\natexit.register(os._exit, 0)\nvalue = 0",
    "the hash of text": "import decimal\ndecimal.getcontext().prec = 1\nvalue = 0",
}

# A program finds its nonce and its pipe in the frames above it, and speaks for its worker.
SPEAK = (
    "import json, os, sys\nframe, known = sys._getframe(), {{}}\n"
    "while frame:\n  known = {{**frame.f_locals, **known}}\n  frame = frame.f_back\n"
    "line = dict(nonce=known['nonce'], kind={kind!r}, verdict='correct', timeout=True,"
    " detail='\\x1b[2Jspoken')\n"
    "os.write(known['writing'], json.dumps(line).encode() + b'\\n')\nos._exit(0)"
)
LINE = '{"kind": "verdict", "verdict": "correct", "detail": "", "id": 0, "grader": "g"}\\n'
REPLIES = {
    "a verdict to every descriptor": (
        "import os\nfor n in range(64):\n"
        f"  try: os.write(n, b'{LINE}')\n  except OSError: pass\nvalue = 0"
    ),
    "no JSON to every descriptor": (
        "import os\nfor n in range(64):\n"
        "  try: os.write(n, b'nonsense\\n')\n  except OSError: pass\nvalue = 0"
    ),
    "bytes without an end": (
        "import os\nfor n in range(3, 64):\n"
        "  try:\n    while 1: os.write(n, b'x' * 65536)\n  except OSError: pass"
    ),
    "a task that cannot be verified": SPEAK.format(kind="fatal"),
    "a second start": SPEAK.format(kind="ready"),
    "an end of another": SPEAK.format(kind="ended"),
    "print": f"print('{LINE}', flush=True)\nvalue = 0",
    "closed descriptors": "import os\nos.closerange(0, 64)\nvalue = 7",
    "an exit": "import os\nos._exit(0)",
    "an exit with a status": "import os\nos._exit(3)",
    "SystemExit": "import sys\nsys.exit(0)",
    "abort": "import os\nos.abort()",
    "a signal of its own": "import os\nos.kill(os.getpid(), 9)",
    "another verdict": "raise type('E', (Exception,), {})('correct')",
    "a long detail": "raise ValueError('x' * 10**7 + '\\x1b[2J')",
    "an exception without a text": (
        "class E(BaseException):\n  def __str__(self): raise MemoryError\nraise E"
    ),
    "deep recursion": "def f(): return f()\nf()",
    "memory": "value = bytearray(10**12)",
}

ENDLESS = {
    "an ignored signal": (
        "import signal\nsignal.signal(signal.SIGPROF, signal.SIG_IGN)\n"
        "signal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass"
    ),
    "a disarmed timer": (
        "import signal\nsignal.setitimer(signal.ITIMER_PROF, 0)\nwhile True: pass"
    ),
    "another timer": (
        "import signal\nsignal.setitimer(signal.ITIMER_PROF, 10**6)\nwhile True: pass"
    ),
    "a lower priority": "import os\ntry: os.nice(19)\nexcept OSError: pass\nwhile True: pass",
}
SLEEPS = {
    "select": "import select\nselect.select([], [], [], 10**6)",
    "a lock": "import threading\nlock = threading.Lock()\nlock.acquire()\nlock.acquire()",
    "its own stop": "import signal\nsignal.raise_signal(signal.SIGSTOP)\nwhile True: pass",
    "a read without end": "import os\nr, w = os.pipe()\nos.read(r, 1)",
}
