"""What run.json holds of the arguments: nothing of one machine, and no secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["recorded"]

# Names of hosts and places of one machine, which no file of a run holds.
_PRIVATE = frozenset(
    {
        "master_addr", "master_port", "node_rank", "data_parallel_address",
        "data_parallel_rpc_port", "download_dir", "otlp_traces_endpoint",
        "allowed_local_media_path", "allowed_media_domains", "profiler_config", "device",
    }
)  # fmt: skip
# Keys and passwords, as those of a storage that weights come from.
_SECRET = re.compile(
    "secret|passw|passphrase|credential|(api|access|account|private|shared)_?key|"
    "(auth|access|bearer|hf|session|sas)_?token",
    re.I,
)


def recorded(options: Mapping[str, Any]) -> dict[str, Any]:
    """What run.json holds of the arguments: no host and no secret, and of a path its last part.

    Args:
        options: what the user gave.
    """
    return {
        str(name): _plain(value)
        for name, value in options.items()
        if name not in _PRIVATE and not _SECRET.search(str(name))
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return recorded(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(inner) for inner in value]
    if isinstance(value, bool | int | float) or value is None:
        return value
    text = str(value)
    if "://" in text:  # of an address the host goes, and what stands behind a question mark
        text = "/" + re.split("[?#]", text.partition("://")[2])[0].partition("/")[2]
    return Path(text).name if text.startswith(("/", ".", "~")) or _is_file(text) else text


def _is_file(text: str) -> bool:
    try:
        return Path(text).exists()
    except (OSError, ValueError):  # no name of a file
        return False
