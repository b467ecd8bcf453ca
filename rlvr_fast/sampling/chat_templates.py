"""Chat templates of models, rendered in a process of their own under a clock.

The template of a tokenizer is a program in Jinja that came with the model.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

from rlvr_fast.errors import InvalidInputError, RlvrError, shown
from rlvr_fast.tasks.sandbox.interpreter import isolated_python, listed_paths, visible_paths

__all__ = ["DATE", "ChatTemplate"]

# What a template that asks for the date is told, unless an argument says another one. It is the
# date that the templates of Llama 3.1 have where they are told none.
DATE = "2024-07-26"

# A rendering takes milliseconds; the process has to import transformers first.
_SECONDS, _START_SECONDS = 10.0, 120.0
# On the mean over all renderings, beside the seconds of one: there may be many questions.
_MEAN_SECONDS = 0.2
_MEMORY = 2 << 30
# More than the longest context holds.
_CHARACTERS = 4_000_000


class ChatTemplate:
    """The chat template of one model; its process starts with the first rendering."""

    def __init__(self, model: str, source: str, names: Mapping[str, Any]) -> None:
        """A template that nothing has read yet.

        Args:
            model: what messages call the model.
            source: the template, in Jinja.
            names: further names that the template knows: the special tokens.
        """
        self.model = model
        self.source = source
        self._names = {
            name: [str(each) for each in value] if isinstance(value, list | tuple) else str(value)
            for name, value in names.items()
        }
        self._read: set[str] = set()  # names of arguments that the template is known to read
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._left = _SECONDS

    def render(self, question: str) -> str:
        """The user's turn with `question`, and the start of the assistant's turn.

        Raises:
            InvalidInputError: the template fails, takes too long, needs too much memory, or makes
                a prompt that is too long.
        """
        return self.render_messages([{"role": "user", "content": question}], {})

    def render_messages(
        self, messages: Sequence[Mapping[str, str]], arguments: Mapping[str, Any]
    ) -> str:
        """The turns of `messages`, and the start of the assistant's turn.

        Args:
            messages: each with "role" and "content".
            arguments: further names that the template reads, with values of JSON.

        Raises:
            InvalidInputError: as `render`; an argument that the template never reads, or that the
                tokenizer gives itself.
        """
        self._check(arguments)
        text, why = self._asked({"messages": messages, "arguments": arguments}, "text", str)
        if isinstance(text, str):
            return text
        other = "use --template plain, or a text file that holds {question}"
        if len(messages) > 1:
            other = f"leave the system message and the examples out, or {other}"
        raise InvalidInputError(
            f"{self.model}: its chat template cannot be rendered: {why}; {other}"
        )

    def _check(self, arguments: Mapping[str, Any]) -> None:
        """Refuses arguments that would change nothing: a mistyped name must not pass unseen."""
        new = [name for name in arguments if name not in self._read]
        for name in new:
            if name in self._names:
                raise InvalidInputError(
                    f"{name} cannot be an argument of the chat template of {self.model}: its "
                    "tokenizer gives it"
                )
        if not new:
            return
        unread, why = self._asked({"names": new}, "unread", list)
        if unread is None:
            raise InvalidInputError(
                f"{self.model}: its chat template cannot be read: {why}; use --template plain, or "
                "a text file that holds {question}"
            )
        if unread:
            raise InvalidInputError(
                f"the chat template of {self.model} never reads {', '.join(map(shown, unread))}, "
                "so --template-arg would change nothing; look for the names in the template of its "
                "tokenizer_config.json or chat_template.jinja"
            )
        self._read.update(new)

    def _asked(self, request: Mapping[str, Any], key: str, kind: type) -> tuple[Any, str | None]:
        """What the process replies under `key`, None where it failed; and why it failed."""
        with self._lock:
            process = self._process
            if process is None:
                process = self._process = self._started()
                self._left = _SECONDS
            self._left = min(_SECONDS, self._left + _MEAN_SECONDS)
            begun = time.monotonic()
            try:
                reply = json.loads(_exchange(process, request, self._left))
                value, why = reply.get(key), reply.get("error")
            except (OSError, ValueError, AttributeError) as error:
                _end(process)
                self._process = None
                value, why = None, str(error) if isinstance(error, OSError) else "no text came"
            self._left -= time.monotonic() - begun
            if not isinstance(value, kind):  # the caller ends with an error
                self._left = _SECONDS
                value = None
        return value, why

    def _started(self) -> subprocess.Popen[bytes]:
        kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "TZ") if name in os.environ}
        process = subprocess.Popen(
            isolated_python("rlvr_fast.sampling.template_process"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={"PATH": os.defpath, "HOME": "/nonexistent", "HF_HUB_OFFLINE": "1", **kept},
            start_new_session=True,  # Ctrl-C is for this process, which ends the other
        )
        weakref.finalize(self, _end, process)
        first = {
            "template": self.source,
            "names": self._names,
            "readable": visible_paths(("transformers", "jinja2")),
            "listed": listed_paths(),
            "path": [path for path in sys.path if path.endswith("-packages")],
            "seconds": _SECONDS,
            "memory": _MEMORY,
            "most": _CHARACTERS,
            "date": DATE,
        }
        try:
            _exchange(process, first, _START_SECONDS)
        except OSError as error:
            _end(process)
            raise RlvrError(
                f"the process for chat templates does not start ({error}); see `rlvr-fast doctor`"
            ) from None
        return process


def _exchange(process: subprocess.Popen[bytes], request: object, seconds: float) -> bytes:
    """Sends one line and gives the line that comes back.

    Raises:
        OSError: none came in time, it was too long, or the process ended; the message says which.
    """
    assert process.stdin is not None
    assert process.stdout is not None
    into, out_of = process.stdin.fileno(), process.stdout.fileno()
    os.set_blocking(into, False)
    waiting = memoryview(json.dumps(request).encode() + b"\n")
    reply = bytearray()
    watch = select.poll()
    watch.register(out_of, select.POLLIN)
    watch.register(into, select.POLLOUT)
    end = time.monotonic() + seconds
    while not reply.endswith(b"\n"):
        left = end - time.monotonic()
        ready = watch.poll(1000 * left) if left > 0 else []
        if not ready:
            raise OSError(f"it takes more than {seconds:.1f} s, or too long on the mean")
        for file, _ in ready:
            if file == into:
                waiting = waiting[os.write(into, waiting[:65536]) :]
                if not waiting:
                    watch.unregister(into)
            else:
                reply += (came := os.read(out_of, 1 << 20))
                if not came:
                    raise OSError("its process ended: too much time or memory")
                if len(reply) > 12 * _CHARACTERS:  # as JSON writes them
                    raise OSError(f"a prompt of more than {_CHARACTERS:,} characters")
    return bytes(reply)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):
            if pipe is not None:
                pipe.close()
