"""The engine server: what the stage of sampling sees of a server."""

from __future__ import annotations

import asyncio
import contextlib
import re
import resource
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from rlvr_fast.errors import (
    EngineError,
    InvalidInputError,
    MissingDependencyError,
    closest,
    install_hint,
    shown,
)
from rlvr_fast.sampling.engine import Completion, PromptForm, Request
from rlvr_fast.sampling.engines.server.address import find_address
from rlvr_fast.sampling.engines.server.key import find_key
from rlvr_fast.sampling.engines.server.options import ServerOptions
from rlvr_fast.sampling.engines.vllm import ENGINE as VLLM
from rlvr_fast.sampling.parameters import SamplingParameters
from rlvr_fast.sampling.tokenizer import TokenizerPrompts

try:
    from rlvr_fast.sampling.engines.server.client import Client, FailedError, RefusedError
    from rlvr_fast.sampling.engines.server.conversation import Conversation
    from rlvr_fast.sampling.engines.server.drawing import Drawing
    from rlvr_fast.sampling.engines.server.replies import Reply, ServedModel, read_models
except ImportError as error:
    if error.name != "aiohttp":
        raise
    raise MissingDependencyError(
        f"the engine server needs the package aiohttp; {install_hint('server')}"
    ) from None

__all__ = ["ServerEngine", "load_server"]

_MODELS_BYTES, _VERSION_BYTES = 1 << 24, 1 << 12
# At the start nobody waits for a server to come back.
_START_RETRIES, _START_SECONDS = 3, 600.0
_VERSION_SECONDS = 10.0
_MOST_NAMES = 20
# A vocabulary that is not known: token ids are stored as 32 bits.
_ANY_TOKEN = (1 << 31) - 1
_PROBE = "1 + 1 ="
# As long as those of draws, so that a server that takes shorter ones says so at the start.
_PROBE_SEED = 0x5EED_5EED_5EED_5EED
# Tokens that are asked for at the start. Some servers have a least number, as some models think.
_PROBE_TOKENS = (1, 16, 1024)
_LIMIT = re.compile(r"max_?(completion_?|output_?|new_?)?tokens|output limit", re.IGNORECASE)
# Without the list of its models a server is asked all the same: a key may be for completions only.
_LISTS_NONE = (403, 404, 405, 501)
# Files that this process has open beside the connections.
_OTHER_FILES = 64


def load_server(model: str, *, revision: str | None, arguments: Mapping[str, Any]) -> ServerEngine:
    """Asks a server for a model.

    Args:
        model: how the server names it.
        revision: has to be None: which revision is served is the server's affair.
        arguments: those of `ServerOptions`.

    Raises:
        InvalidInputError: an argument of another form, a model that is not served, or a key that
            is refused.
        EngineError: the server does not answer.
    """
    if revision is not None:
        raise InvalidInputError(
            f"{model}: the server decides which revision it serves; leave --revision out"
        )
    options = ServerOptions.from_mapping(arguments, where="the engine server")
    return ServerEngine(model, options)


class ServerEngine(TokenizerPrompts):
    """Draws completions with a server of the OpenAI interface; see `Engine`."""

    name = "server"
    revision = None

    def __init__(self, model: str, options: ServerOptions) -> None:
        """Asks the server for its models, and for one token of `model`, to see what it takes.

        Args:
            model: how the server names it.
            options: where the server is, and how it is asked.

        Raises:
            InvalidInputError, EngineError: as `load_server`.
        """
        _check_files(options.concurrency)
        address = find_address(options.url)
        key = find_key(options, address)
        if key is not None and not address.encrypted and not address.loopback:
            warnings.warn(
                f"the key goes to {address.host} unencrypted, as the URL begins with http:",
                UserWarning,
                stacklevel=4,
            )
        self.model = model
        self.told: Sequence[str] = ()
        self._tokenizer: Any = None
        if options.tokenizer is not None:
            from rlvr_fast.models import load_tokenizer

            self._tokenizer = load_tokenizer(options.tokenizer)
        self._conversation = Conversation(model, options, address, key)
        self.prompt_form: PromptForm = self._conversation.form
        self.vocab_size = _ANY_TOKEN if self._tokenizer is None else len(self._tokenizer)
        seconds = min(options.timeout, _START_SECONDS)
        try:
            with self._conversation.connected(retries=_START_RETRIES, timeout=seconds) as (
                loop,
                client,
            ):
                served = loop.run_until_complete(self._find(client))
                self._conversation.dialect.owner = "" if served is None else served.owner
                loop.run_until_complete(self._probe(client))
                version = loop.run_until_complete(self._find_version(client))
        except RefusedError as error:
            raise InvalidInputError(str(error)) from None
        except FailedError as error:
            if not error.malformed:
                raise
            raise InvalidInputError(
                f"{error}. Is the URL that of an OpenAI interface: the one before /models, mostly "
                "with /v1 at its end?"
            ) from None
        self.context_length = None if served is None else served.context_length
        owner = self._conversation.dialect.owner
        told = [self._conversation.hidden(text)[:40] for text in (owner, version) if text]
        self.version = " ".join(told) or "unknown"
        self.notes = tuple(self._notes())
        if own := sorted({"temperature", "top_p"} & self._conversation.dialect.left_out):
            warnings.warn(
                f"{address.host} refuses {' and '.join(own)} though it is neutral (1), so its own "
                "default holds, which may be another",
                UserWarning,
                stacklevel=4,
            )

    # -- the start -------------------------------------------------------------------------------

    async def _find(self, client: Client) -> ServedModel | None:
        """The model among those of the server; None where the server does not list them."""
        try:
            served = await client.get("/models", read_models, most=_MODELS_BYTES)
        except RefusedError as error:
            if error.status in _LISTS_NONE:
                return None
            raise
        named = {each.name: each for each in served}
        if self.model in named:
            return named[self.model]
        names = ", ".join(shown(name) for name in list(named)[:_MOST_NAMES]) or "no model"
        names = self._conversation.hidden(names)
        more = f" and {len(named) - _MOST_NAMES} more" if len(named) > _MOST_NAMES else ""
        raise InvalidInputError(
            f"{self._conversation.address.base} does not serve {shown(self.model)}."
            f"{self._conversation.hidden(closest(self.model, named))} It serves: {names}{more}"
        )

    async def _probe(self, client: Client) -> None:
        """Asks for one token: what the server takes and tells is known before a run is made."""
        if self.prompt_form == "messages":
            text = orjson.dumps([{"role": "user", "content": _PROBE}]).decode()
        else:
            text = _PROBE
        ids = self.encode([text])[0] if self._tokenizer is not None else []
        try:
            reply = await self._first_reply(client, text, ids)
        except RefusedError as error:
            if not ids:
                raise
            raise InvalidInputError(
                f"{error}; if it takes no prompts of token ids, leave --engine-arg tokenizer out"
            ) from None
        self._tells_prompts = reply.prompt_token_ids is not None
        self._tells_tokens = reply.choices[0].token_ids is not None

    async def _first_reply(self, client: Client, text: str, ids: list[int]) -> Reply:
        for tokens in _PROBE_TOKENS:
            try:
                return await self._ask(client, text, ids, max_tokens=tokens)
            except RefusedError as error:
                if not error.of_request:
                    raise
                if not _LIMIT.search(error.text):
                    break
        return await self._ask(client, text, ids, blindly=True)

    async def _ask(
        self,
        client: Client,
        text: str,
        ids: list[int],
        *,
        max_tokens: int = 1,
        blindly: bool = False,
    ) -> Reply:
        reply, _ = await self._conversation.reply(
            client,
            self._conversation.prompt(text, ids),
            None,
            max_tokens=max_tokens,
            seed=_PROBE_SEED,
            blindly=blindly,
        )
        return reply

    async def _find_version(self, client: Client) -> str:
        """The version that vLLM tells beside the interface; empty for other servers."""
        with contextlib.suppress(EngineError, TimeoutError):
            async with asyncio.timeout(_VERSION_SECONDS):
                return await client.get_at_root("/version", _read_version, most=_VERSION_BYTES)
        return ""

    def _notes(self) -> Iterator[str]:
        dialect = self._conversation.dialect
        yield {
            "tokens": "prompts were sent as token ids",
            "text": "prompts were sent as texts",
            "messages": "prompts were sent as messages; the chat template is the server's",
        }[self.prompt_form]
        if "seed" in dialect.left_out:
            yield "the server takes no seed, so the seed column is null"
        elif dialect.most > 1:
            yield (
                f"up to {dialect.most} draws a request: the draws of one request share its seed, "
                "and their seed column is null"
            )
        if "seed" not in dialect.left_out and dialect.seed_bits < 63:
            yield f"of each seed the server was sent the lowest {dialect.seed_bits} bits"
        if not self._tells_tokens:
            yield "the server tells no token ids, so those of the completions are not stored"
        if refused := sorted(dialect.left_out - {"seed", "return_token_ids"}):
            yield f"left at the defaults of the server, which refuses them: {', '.join(refused)}"

    # -- prompts ---------------------------------------------------------------------------------

    def encode(self, prompts: Sequence[str], *, special_tokens: bool = True) -> list[list[int]]:
        """Token ids of each prompt: of the tokenizer, else of the server; else empty lists."""
        if self._tokenizer is not None:
            return super().encode(prompts, special_tokens=special_tokens)
        if not self._tells_prompts:
            return [[] for _ in prompts]
        with self._conversation.connected() as (loop, client):
            return loop.run_until_complete(self._encode(client, prompts))

    async def _encode(self, client: Client, prompts: Sequence[str]) -> list[list[int]]:
        found: list[list[int]] = [[] for _ in prompts]
        places = iter(range(len(prompts)))

        async def work() -> None:
            for place in places:
                try:
                    reply = await self._ask(client, prompts[place], [])
                except RefusedError as error:
                    begins = shown(prompts[place])
                    raise InvalidInputError(
                        f"prompt {place + 1} of {len(prompts)} ({begins}): {error}"
                    ) from None
                found[place] = reply.prompt_token_ids or []

        workers = min(self._conversation.options.concurrency, len(prompts))
        await asyncio.gather(*(work() for _ in range(workers)))
        return found

    # -- drawing ---------------------------------------------------------------------------------

    def check_parameters(self, parameters: SamplingParameters) -> None:
        """Refuses what the server is known to leave aside or to change; see `Engine`."""
        dialect = self._conversation.dialect
        if lacking := dialect.lacking(parameters):
            raise InvalidInputError(
                f"{dialect.owner} does not know {', '.join(lacking)}; leave that out, or draw with "
                "another server"
            )
        if dialect.owner == VLLM.name and (why := VLLM.refuses(parameters)):
            raise InvalidInputError(f"the server is vLLM, which {why}")

    def generate(
        self,
        requests: Iterable[Request],
        parameters: SamplingParameters,
        *,
        logprobs: bool = False,
    ) -> Iterator[Completion]:
        """Makes the draws and yields each as soon as it is finished; see `LogprobEngine`.

        Closing the iterator ends all requests: the server sees their connections close.

        Raises:
            InvalidInputError: a prompt fills the context, or the server is known to leave aside a
                parameter that matters.
            EngineError: the server failed or refused; what it did answer was yielded before.
        """
        self.told = ()
        self.check_parameters(parameters)
        dialect = self._conversation.dialect
        if doubtful := dialect.doubtful(parameters):
            warnings.warn(
                f"{self._conversation.address.host} does not say that it is vLLM, SGLang or "
                f"llama.cpp; a server that does not know {', '.join(doubtful)} may leave that "
                "aside unsaid",
                UserWarning,
                stacklevel=2,
            )
        drawing = Drawing(
            self._conversation,
            requests,
            parameters,
            context_length=self.context_length,
            logprobs=logprobs,
        )
        try:
            with self._conversation.connected() as (loop, client):
                yield from drawing.run(loop, client)
        finally:
            self.told = self._summary(drawing)

    def _summary(self, drawing: Drawing) -> Sequence[str]:
        if not drawing.requests:
            return ()
        again = f", {drawing.sent_again:,} sent again" if drawing.sent_again else ""
        counted = f"the server answered {drawing.requests:,} requests{again}"
        if drawing.prompt_tokens or drawing.completion_tokens:
            counted += (
                f": {drawing.prompt_tokens:,} prompt tokens and {drawing.completion_tokens:,} "
                "completion tokens, as it counts them"
            )
        changed = [note for note in self._notes() if note not in self.notes]
        if (most := self._conversation.dialect.most) < self._conversation.options.n:
            draws = "one draw" if most == 1 else f"{most} draws"
            changed.append(f"the server gives {draws} a request, whatever n is")
        return (counted, *changed)


def _check_files(concurrency: int) -> None:
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and concurrency + _OTHER_FILES > most:
        raise InvalidInputError(
            f"concurrency is {concurrency}, but this process may have {most} files open, and each "
            f"request under way is one; make that ulimit -n {concurrency + _OTHER_FILES}, or "
            f"concurrency at most {max(1, most - _OTHER_FILES)}"
        )


def _read_version(data: bytes) -> str:
    try:
        version = orjson.loads(data)["version"]
    except (ValueError, TypeError, KeyError):
        return ""
    return version if isinstance(version, str) and version.isprintable() else ""
