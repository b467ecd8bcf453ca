"""What is said to one server about one model: requests, and their replies."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.sampling.engine import PromptForm, Request
from rlvr_fast.sampling.engines.server.address import Address, find_proxy
from rlvr_fast.sampling.engines.server.client import Client, RefusedError
from rlvr_fast.sampling.engines.server.dialect import Dialect
from rlvr_fast.sampling.engines.server.key import Key
from rlvr_fast.sampling.engines.server.options import ServerOptions
from rlvr_fast.sampling.engines.server.replies import Reply, read_reply
from rlvr_fast.sampling.parameters import SamplingParameters

__all__ = ["Conversation"]

# Bytes of a reply at most: for each token its text, its id and its log-probability, as JSON.
_TOKEN_BYTES, _REPLY_BYTES, _MOST_BYTES = 1024, 1 << 20, 1 << 28


class Conversation:
    """The requests to one server for the completions of one model.

    Attributes:
        model: how the server names it.
        options: how it is asked.
        address: where it is.
        dialect: what it takes of a request.
        form: what it is given of a prompt.
    """

    def __init__(
        self, model: str, options: ServerOptions, address: Address, key: Key | None
    ) -> None:
        self.model = model
        self.options = options
        self.address = address
        self.dialect = Dialect(chat=options.api == "chat", most=options.n)
        self.form: PromptForm = "text"
        if options.api == "chat":
            self.form = "messages"
        elif options.tokenizer is not None:
            self.form = "tokens"
        self._key = key
        self._proxy = find_proxy(address)

    @contextlib.contextmanager
    def connected(
        self, *, retries: int | None = None, timeout: float | None = None
    ) -> Iterator[tuple[asyncio.AbstractEventLoop, Client]]:
        """An event loop of its own and a client in it, for the thread that calls.

        At the end of the block every task of the loop is cancelled and every connection closed.

        Args:
            retries: in place of those of the options.
            timeout: in place of that of the options.

        Raises:
            InvalidInputError: an event loop runs in this thread already.
        """
        with contextlib.suppress(RuntimeError):
            asyncio.get_running_loop()
            raise InvalidInputError(
                "the engine server has an event loop of its own, and one runs in this thread "
                "already, as in a notebook: call it in another thread (await "
                "asyncio.to_thread(...))"
            )
        loop = asyncio.new_event_loop()
        client = Client(
            self.address,
            self._key,
            self._proxy,
            concurrency=self.options.concurrency,
            timeout=self.options.timeout if timeout is None else timeout,
            retries=self.options.retries if retries is None else retries,
        )
        try:
            loop.run_until_complete(client.__aenter__())
            yield loop, client
        finally:
            # Ctrl-C may have ended any task in mid-step, those of the library included.
            loop.set_exception_handler(lambda *_: None)
            running = asyncio.all_tasks(loop)
            for task in running:
                task.cancel()
            if running:
                _settle(loop, asyncio.gather(*running, return_exceptions=True))
            _settle(loop, loop.create_task(client.__aexit__()))
            loop.close()

    def hidden(self, text: str) -> str:
        """A text of the server without the key, which the server may have repeated."""
        return text if self._key is None else self._key.hidden(text)

    def prompt(self, text: str, token_ids: list[int]) -> dict[str, Any]:
        """The field of a request that holds a prompt."""
        if self.form == "messages":
            value = orjson.loads(text)
            if isinstance(value, list):
                return {"messages": value}
            return {name: value[name] for name in ("messages", "chat_template_kwargs")}
        return {"prompt": token_ids if self.form == "tokens" else text}

    async def reply(
        self,
        client: Client,
        prompt: Mapping[str, Any],
        parameters: SamplingParameters | None,
        *,
        max_tokens: int,
        n: int = 1,
        seed: int,
        logprobs: bool = False,
        blindly: bool = False,
    ) -> tuple[Reply, dict[str, Any]]:
        """Asks until the server takes the request, or refuses what it must not leave out.

        Args:
            client: of the running loop.
            prompt: as `prompt` makes it.
            parameters: how to draw; None for neutral values.
            max_tokens: tokens of a completion at most.
            n: draws; a server may be asked for fewer.
            seed: of the first draw.
            logprobs: ask for log-probabilities.
            blindly: leave out what may be, where the server does not say what it refuses.

        Returns:
            The reply, and the request that it is for.

        Raises:
            EngineError: as `Client.post`.
        """
        chat = self.form == "messages"
        path = "/chat/completions" if chat else "/completions"
        fixed = {"model": self.model, **prompt}

        def request() -> dict[str, Any]:
            return self.dialect.body(
                fixed,
                parameters,
                max_tokens=max_tokens,
                n=min(n, self.dialect.most),
                seed=seed,
                logprobs=logprobs,
            )

        most_before = self.dialect.most
        while True:
            body = request()
            data = self._json(body)
            most = body.get("n", 1)
            room = _REPLY_BYTES + most * (_TOKEN_BYTES * max_tokens + 8 * len(data))

            def read(reply: bytes, most: int = most) -> Reply:
                return read_reply(reply, most=most, max_tokens=max_tokens, logprobs=logprobs)

            try:
                return await client.post(path, data, read, most=min(room, _MOST_BYTES)), body
            except RefusedError as refused:
                # Another request may have taught the same meanwhile.
                if request() != body or self.dialect.learn(refused, body):
                    continue
                if blindly and self.dialect.learn_blindly(refused, body):
                    continue
                if body.get("n", 1) < most_before:  # so it was not the number of draws
                    self.dialect.most = max(self.dialect.most, most_before)
                raise

    @staticmethod
    def _json(body: Mapping[str, Any]) -> bytes:
        try:
            return orjson.dumps(body)
        except TypeError as error:
            name = next((name for name, value in body.items() if not _is_json(value)), "a field")
            raise InvalidInputError(
                f"{name} cannot be sent to the server: {error}; expected characters of Unicode"
            ) from None

    def room(self, request: Request, context_length: int | None, max_tokens: int) -> int:
        """How many tokens a completion of `request` may have.

        Raises:
            InvalidInputError: its prompt fills the context.
        """
        length = len(request.prompt_token_ids)
        if context_length is None or not length:
            return max_tokens
        if length >= context_length:
            raise InvalidInputError(
                f"problem {request.problem_id!r}: its prompt has {length} tokens, but the context "
                f"of {self.model} holds {context_length} with the completion"
            )
        return min(max_tokens, context_length - length)


def _is_json(value: Any) -> bool:
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return True


def _settle(loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any]) -> None:
    """Runs a loop until a future is done, also where an interrupt left a call to stop behind."""
    while not future.done():
        with contextlib.suppress(RuntimeError):
            loop.run_until_complete(future)
