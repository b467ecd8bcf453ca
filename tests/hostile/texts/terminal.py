"""A terminal: commands run under a pseudo-terminal, and what they write to it."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from payloads import hidden_in

__all__ = ["acts_on_terminal", "run_commands"]

# Runs every command in one process: imports are paid once.
_DRIVER = """
import json, os, sys
from rlvr_fast.cli import main
for command in json.loads(sys.argv[1]):
    os.write(2, b"\\x00START\\n")
    sys.argv = ["rlvr-fast", *(os.fsdecode(bytes.fromhex(part)) for part in command)]
    try:
        main()
    except SystemExit as end:
        code = end.code
    sys.stdout.flush()
    os.write(2, b"\\x00CODE %d\\n" % (code or 0))
"""
# What rich writes for its own styles, bars and cursor; a payload has none of these.
_OWN = re.compile(
    r"\x1b\[(?:0|1|2|3|1;31|32|33|35|36|2;3|38;5;\d+|38;2;[\d;]+)m|\x1b\[\?25[lh]|\x1b\[2K|\x1b\[1A"
)


def run_commands(commands: Sequence[Sequence[str]], folder: Path) -> list[tuple[int, str]]:
    """The exit code of each command, and everything it wrote to its terminal."""
    asked = json.dumps([[os.fsencode(part).hex() for part in command] for command in commands])
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "150", "LINES": "50"}
    process = subprocess.Popen(
        [sys.executable, "-c", _DRIVER, asked],
        stdin=follower, stdout=follower, stderr=follower, cwd=folder, env=environment,
        start_new_session=True,
    )  # fmt: skip
    os.close(follower)
    written = bytearray()
    while True:
        ready, _, _ = select.select([leader], [], [], 300)
        assert ready, "the commands wrote nothing for five minutes"
        try:
            chunk = os.read(leader, 1 << 16)
        except OSError:  # the other end is closed
            break
        if not chunk:
            break
        written += chunk
    os.close(leader)
    assert process.wait(300) == 0, written[-3000:]
    parts = bytes(written).decode().replace("\r\n", "\n").split("\x00START\n")[1:]
    found = []
    for part in parts:
        text, _, code = part.rpartition("\x00CODE ")
        found.append((int(code), text))
    assert len(found) == len(commands)
    return found


def acts_on_terminal(text: str) -> list[str]:
    """What of the written text is neither text nor a style of our own; "" at its end."""
    # A bar of progress goes back to the beginning of its own line.
    plain = _OWN.sub("", text).replace("\r", "", text.count("\x1b[2K") + text.count("\x1b[?25"))
    bad = [f"{ord(c):x}" for c in sorted(hidden_in(plain))]
    forged = [line for line in plain.split("\n") if line.startswith(("Report: /tmp/forged",
              "error: forged"))]  # fmt: skip
    return bad + forged
