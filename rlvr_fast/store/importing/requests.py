"""The requests that a batch output answers: the questions are in them alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.store.importing.columns import to_list
from rlvr_fast.store.importing.roles import RoleBatch
from rlvr_fast.store.readers.common import SAMPLING_NAMES, sampling_of
from rlvr_fast.store.readers.openai_batch import read_requests
from rlvr_fast.store.readers.reader import MISSING
from rlvr_fast.store.readers.served import asked

__all__ = ["Requests"]


class Requests:
    """The bodies of requests by their id, joined to the rows that answer them.

    Attributes:
        sampling: the sampling parameters of the requests that were met, each with its values.
    """

    def __init__(self, files: Sequence[str]) -> None:
        self._bodies: Mapping[str, Mapping[str, Any]] = read_requests(files) if files else {}
        self.sampling: dict[str, list[Any]] = {}
        self._joined = False

    def check(self, name: str) -> None:
        """Refuses requests that no row names.

        Raises:
            InvalidInputError: requests were given, and the rows are no output of a batch.
        """
        if self._bodies and not self._joined:
            raise InvalidInputError(
                f"{name}: --requests: no row names a request by custom_id; the rows are no output "
                "of a batch, and need no requests"
            )

    def join(self, roles: RoleBatch, name: str) -> None:
        """Gives the rows of a batch their questions.

        Raises:
            InvalidInputError: the rows need requests and none were given, or no request has the id.
        """
        column = roles.of_rows.pop("request_id", None)
        if column is None:
            return
        self._joined = True
        ids = to_list(column)
        if not self._bodies:
            if "question" in roles.of_rows:
                return
            raise InvalidInputError(
                f"{name}: the questions are in the file of the requests, which answers name by "
                "custom_id alone: give that file with --requests FILE"
            )
        asked_by: list[dict[str, Any]] = []
        for row, request in enumerate(ids):
            body = self._bodies.get(str(request))
            if body is None:
                raise InvalidInputError(
                    f"{name}, row {int(roles.numbers[row])}: no request has the custom_id "
                    f"{request!r} (the files of --requests have {len(self._bodies)} others)"
                )
            asked_by.append(asked(body))
            named = sampling_of(body)
            for key in SAMPLING_NAMES:
                value = named.get(key)
                seen = self.sampling.setdefault(key, [])
                if value not in seen and len(seen) < 2:
                    seen.append(value)
        for role in ("question", "system"):
            roles.of_rows[role] = [found.get(role, MISSING) for found in asked_by]
