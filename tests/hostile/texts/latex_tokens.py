"""What LaTeX would read in a file of tables: control sequences, rows and cells."""

from __future__ import annotations

import re

__all__ = ["control_sequences", "rows"]

# The control sequences that a table of a report is made of.
OWN = {
    "begin", "end", "caption", "centering", "toprule", "midrule", "bottomrule", "endhead",
    "textbackslash", "textasciicircum", "textasciitilde", "textless", "textgreater",
    "varepsilon", "beta", "zeta", "infty", "times", "geq", "leq", "\\", "{", "}", "$", "&", "#",
    "%", "_",
}  # fmt: skip
TOKEN = re.compile(r"\\([a-zA-Z]+|.)|(%.*)|(\^\^)|([{}$&#_^~])", re.DOTALL)


def control_sequences(text: str) -> set[str]:
    """Names of the control sequences; raises ValueError where braces or dollars do not close."""
    names, depth, mathematics = set(), 0, False
    for name, comment, carets, special in TOKEN.findall(text):
        if comment and not comment.startswith("% needs"):
            raise ValueError(f"a comment swallows the rest of a line: {comment[:40]!r}")
        if carets:
            raise ValueError("two carets make a character")
        if name:
            names.add(name)
        if special == "$":
            mathematics = not mathematics
        depth += {"{": 1, "}": -1}.get(special, 0)
        if special in ("#", "_", "^", "~") and not mathematics:
            raise ValueError(f"{special} outside of mathematics")
        if depth < 0:
            raise ValueError("a brace closes what was not opened")
    if depth or mathematics:
        raise ValueError("a brace or a dollar does not close")
    return names


def rows(text: str) -> list[list[str]]:
    """The cells of each row of the body, as LaTeX parts them.

    Raises:
        ValueError: what stands before a row takes its beginning for an argument.
    """
    body = text.partition("\\midrule\n")[2].partition("\\bottomrule")[0].removeprefix("\\endhead\n")
    found = []
    for row in re.split(r"(?<!\\)(?:\\\\)(?=\s)", body):
        if row.lstrip()[:1] in ("[", "*"):
            raise ValueError(f"read as an argument: {row[:40]!r}")
        if row.strip():
            found.append([cell.strip() for cell in re.split(r"(?<!\\)&", row)])
    return found
