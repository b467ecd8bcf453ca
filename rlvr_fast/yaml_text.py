"""YAML as people write it in study files and in values on the command line.

The rules of PyYAML's safe loader with four differences: a key that is given twice is an error,
1e-3 is a number as in YAML 1.2, not a text as in YAML 1.1, a date is a text, as no option takes a
date, and size, depth and what aliases repeat are bounded.
"""

from __future__ import annotations

import functools
import re
from typing import Any

from rlvr_fast.errors import InvalidInputError

__all__ = ["MOST_CHARACTERS", "parse_yaml"]

# Each digit is read by one part of the pattern only: two would take the square of the length.
_EXPONENT = re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$")


# A study file has some dozens of values. The reader takes seconds for a megabyte.
MOST_CHARACTERS = 1 << 20
_MOST_VALUES = 20_000
_MOST_DEPTH = 40
_MOST_DIGITS = 400


def parse_yaml(text: str, where: str) -> Any:
    """The value of a YAML text.

    Args:
        text: one YAML document.
        where: stands first in every message: the name of a file or of an option.

    Raises:
        InvalidInputError: the text is not YAML, holds a key twice, is too long or too deep, or
            stands for more values than it may through aliases (`*name`) that repeat others.
    """
    import yaml

    if len(text) > MOST_CHARACTERS:
        raise InvalidInputError(
            f"{where}: a text of {len(text):,} characters, expected at most {MOST_CHARACTERS:,}"
        )
    try:
        loader = _loader()(text)
        try:
            node = loader.get_single_node()
            _count(node, {})
            return None if node is None else loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise InvalidInputError(
            f"{where}: {place}not a readable YAML text: {error.problem}"
        ) from None
    except RecursionError:
        raise InvalidInputError(f"{where}: not a readable YAML text: nested too deeply") from None
    # Some tags, escapes and numbers fail in Python's ways: !!int "" is an IndexError.
    except Exception as error:
        raise InvalidInputError(
            f"{where}: not a readable YAML text: {str(error) or type(error).__name__}"
        ) from None


def _count(node: Any, known: dict[int, int]) -> int:
    """The number of values that a node stands for, each alias counted as what it repeats.

    Raises:
        yaml.MarkedYAMLError: there are too many, or a value holds itself.
    """
    import yaml

    if not isinstance(node, yaml.CollectionNode):
        return 1
    total = known.get(id(node))
    if total is None:
        known[id(node)] = _MOST_VALUES + 1  # of a node that holds itself
        entries = node.value
        if isinstance(node, yaml.MappingNode):
            entries = [each for pair in entries for each in pair]
        total = 1 + sum(_count(each, known) for each in entries)
        known[id(node)] = total
    if total > _MOST_VALUES:
        raise _refused(node, f"with its aliases more than {_MOST_VALUES:,} values")
    return total


def _refused(node: Any, problem: str) -> Exception:
    import yaml

    error: Exception = yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
    return error


@functools.cache
def _loader() -> Any:
    import yaml

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        made = depth = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            # Bounded while it is read: the reader is slow.
            self.made += 1
            self.depth += 1
            node = super().compose_node(parent, index)
            self.depth -= 1
            if self.made > _MOST_VALUES:
                raise _refused(node, f"more than {_MOST_VALUES:,} values")
            if isinstance(node, yaml.ScalarNode):
                if node.tag.endswith((":int", ":float")) and len(node.value) > _MOST_DIGITS:
                    raise _refused(node, f"a number of more than {_MOST_DIGITS} characters")
                if "\0" in node.value:
                    raise _refused(node, "a text with a null character, which no name may hold")
            return node

        def compose_sequence_node(self, anchor: Any) -> Any:
            self.check_depth()
            return super().compose_sequence_node(anchor)

        def compose_mapping_node(self, anchor: Any) -> Any:
            self.check_depth()
            node = super().compose_mapping_node(anchor)
            # Here and not while values are made: a merge (`<<`) adds keys that others override.
            seen = set()
            for key, _ in node.value:
                name = key.value if isinstance(key, yaml.ScalarNode) else None
                if name is not None and name in seen and key.tag != "tag:yaml.org,2002:merge":
                    raise _refused(key, f"the key {name!r} is given twice")
                seen.add(name)
            return node

        def check_depth(self) -> None:
            if self.depth > _MOST_DEPTH:
                problem = f"more than {_MOST_DEPTH} lists and mappings inside each other"
                raise _refused(self.peek_event(), problem)

    Loader.add_implicit_resolver("tag:yaml.org,2002:float", _EXPONENT, list("-+.0123456789"))
    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in rules if tag != "tag:yaml.org,2002:timestamp"]
        for first, rules in Loader.yaml_implicit_resolvers.items()
    }
    return Loader
