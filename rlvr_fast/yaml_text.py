"""YAML as people write it in study files and in values on the command line.

The rules of PyYAML's safe loader with three differences: a key that is given twice is an error,
1e-3 is a number as in YAML 1.2, not a text as in YAML 1.1, and a date is a text, as no option takes
a date.
"""

from __future__ import annotations

import functools
import re
from typing import Any

from rlvr_fast.errors import InvalidInputError

__all__ = ["parse_yaml"]

_EXPONENT = re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$")


def parse_yaml(text: str, where: str) -> Any:
    """The value of a YAML text.

    Args:
        text: one YAML document.
        where: stands first in every message: the name of a file or of an option.

    Raises:
        InvalidInputError: the text is not YAML, or holds a key twice.
    """
    import yaml

    try:
        return yaml.load(text, _loader())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise InvalidInputError(
            f"{where}: {place}not a readable YAML text: {error.problem}"
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InvalidInputError(f"{where}: not a readable YAML text: {error}") from None


@functools.cache
def _loader() -> Any:
    import yaml

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen = set()
            for key, _ in node.value:
                name = key.value if isinstance(key, yaml.ScalarNode) else None
                if name is not None and name in seen and key.tag != "tag:yaml.org,2002:merge":
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {name!r} is given twice", key.start_mark
                    )
                seen.add(name)
            return super().construct_mapping(node, deep)

    Loader.add_implicit_resolver("tag:yaml.org,2002:float", _EXPONENT, list("-+.0123456789"))
    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in rules if tag != "tag:yaml.org,2002:timestamp"]
        for first, rules in Loader.yaml_implicit_resolvers.items()
    }
    return Loader
