"""The process that generates problems, for many specs at once: what one process can show of each.

A process for each dataset spends three seconds in imports.
"""

from __future__ import annotations

import json

from rlvr_fast.tasks.schemes.reasoning_gym import generate
from rlvr_fast.tasks.specs import parse_spec

__all__ = ["main"]


def main() -> None:
    """Writes the problems of each spec of a JSON list."""
    entries = generate.entries
    generate.parse_spec = json.loads
    generate.entries = lambda specs: [entries(parse_spec(spec)) for spec in specs]
    generate.main()
