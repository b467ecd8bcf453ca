"""`python -m rlvr_fast.tasks.gym_main SPEC`: a dataset's problems as JSON on standard output."""

from __future__ import annotations

import contextlib
import json
import sys


def main() -> None:
    from rlvr_fast.tasks.gym import entries
    from rlvr_fast.tasks.specs import parse_spec

    out = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):  # datasets may print
        made = entries(parse_spec(sys.argv[1]))
    json.dump(made, out)


if __name__ == "__main__":
    main()
