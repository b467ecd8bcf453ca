"""The process that renders the chat template of one model, started by `chat_templates`.

A template is a program of a stranger: it may loop for ever, fill the memory, or break out of
Jinja's sandbox. So this process has limits of time and memory, nothing of its parent's environment,
no network, and no process but itself; it writes no file, and where the kernel has Landlock it reads
none but those of the system and of packages.

Lines of JSON come in: first the template and the limits, then a line for each rendering,
{"messages": ..., "arguments": ...}, or {"names": [...]} to ask which of these names the template
never reads. A line goes out for each: {"text": ...}, {"unread": [...]} or {"error": ...}.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from datetime import datetime
from typing import Any

from rlvr_fast.tasks.sandbox.answer_calls import answer_filter
from rlvr_fast.tasks.sandbox.landlock import read_only_view
from rlvr_fast.tasks.sandbox.locks import drop_privileges, refuse_calls

__all__ = ["main"]


def _rendered(
    first: dict[str, Any], messages: list[dict[str, str]], arguments: dict[str, Any]
) -> dict[str, Any]:
    from transformers.utils.chat_template_utils import render_jinja_template

    named = {**first["names"], "strftime_now": first["date"], **arguments}
    # In the place of transformers' own, which is the time of the rendering: a run that goes on
    # tomorrow, and the other model of a comparison, are to have the same prompts.
    told = datetime.fromisoformat(named["strftime_now"])
    named["strftime_now"] = lambda form: told.strftime(form)
    found = render_jinja_template(
        [messages], chat_template=first["template"], add_generation_prompt=True, **named
    )
    text = str((found[0] if isinstance(found, tuple) else found)[0])
    if len(text) > first["most"]:
        return {
            "error": f"a prompt of {len(text):,} characters, at most {first['most']:,} are taken"
        }
    return {"text": text}


def _unread(first: dict[str, Any], names: list[str]) -> dict[str, Any]:
    from jinja2 import Environment, meta
    from jinja2.ext import Extension, loopcontrols

    class Generation(Extension):  # the tag of transformers around turns of the assistant
        tags = {"generation"}  # noqa: RUF012

        def parse(self, parser: Any) -> Any:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    # Nothing is run: the template is read, for the names that no statement of its own sets.
    environment = Environment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    read = meta.find_undeclared_variables(environment.parse(first["template"]))
    return {"unread": [name for name in names if name not in read]}


def _answer(first: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    try:
        if "names" in asked:
            return _unread(first, asked["names"])
        return _rendered(first, asked["messages"], asked["arguments"])
    except MemoryError:
        return {"error": "it needs too much memory"}
    except RecursionError:
        return {"error": "it calls itself without end"}
    except Exception as error:  # a template can raise whatever Python can
        return {"error": f"{type(error).__name__}: {str(error)[:500]}"}


def main() -> None:
    """Renders until the other end of standard input is closed."""
    requests = sys.stdin.buffer
    # What an imported package prints is no reply.
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    first = json.loads(requests.readline())
    sys.path += [path for path in first["path"] if path not in sys.path]
    empty = {"template": "", "names": {}, "most": 0, "date": first["date"]}
    # Imports all, before the limits.
    _answer(empty, {"messages": [], "arguments": {}})
    _answer(empty, {"names": []})
    for kind, limit in (
        (resource.RLIMIT_AS, first["memory"]),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
    ):
        resource.setrlimit(kind, (limit, limit))
    drop_privileges(hidden=False)
    read_only_view(first["readable"], first["listed"])
    refuse_calls(answer_filter())
    replies.write(b'{"text": ""}\n')
    replies.flush()
    for line in requests:
        asked = json.loads(line)
        # The parent ends a rendering that takes too long; should it be gone, the alarm does.
        signal.setitimer(signal.ITIMER_REAL, 2 * first["seconds"])
        reply = json.dumps(_answer(first, asked))
        signal.setitimer(signal.ITIMER_REAL, 0)
        replies.write(reply.encode() + b"\n")
        replies.flush()
