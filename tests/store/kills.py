"""Some work, done in a folder of its own for each operation on files, and killed before it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

__all__ = ["kill_everywhere"]

_KILLER = """
import os, signal, sys
from pathlib import Path

exec(sys.argv[1])  # defines work(folder)
EVENTS = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree", "open"}
for number in range(0, 1000, int(sys.argv[3])):
    child = os.fork()
    if not child:
        place = Path(sys.argv[2]) / str(number)
        place.mkdir()
        left = number

        def hook(event, values):
            global left
            reads = event == "open" and not values[2] & (os.O_WRONLY | os.O_RDWR)
            if event not in EVENTS or reads or not str(values[0]).startswith(str(place)):
                return
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

        work(place, lambda: sys.addaudithook(hook))
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if os.WIFEXITED(status):
        sys.exit(os.WEXITSTATUS(status))
    if os.WTERMSIG(status) != signal.SIGKILL:
        sys.exit(f"killed by {status}")
sys.exit("never finished")
"""


def kill_everywhere(code: str, folder: Path, *, step: int = 1) -> list[Path]:
    """The folders in which the work was killed, in turn, and last that in which it was finished.

    Args:
        code: Python that defines work(folder, begin); kills happen after begin() was called.
        folder: receives the folders.
        step: kills before every so manyth operation only.
    """
    folder.mkdir()
    command = [sys.executable, "-c", _KILLER, code, str(folder), str(step)]
    subprocess.run(command, check=True, timeout=600)
    return sorted(folder.iterdir(), key=lambda place: int(place.name))
