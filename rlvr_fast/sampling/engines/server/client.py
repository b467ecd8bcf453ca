"""Requests to a server: bounded in time and size, and sent again after failures that may pass."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import aiohttp

from rlvr_fast.errors import EngineError, shown
from rlvr_fast.sampling.engines.server.address import Address, Proxy
from rlvr_fast.sampling.engines.server.key import Key
from rlvr_fast.sampling.engines.server.replies import MalformedReply, ToldError, error_text
from rlvr_fast.sampling.engines.server.retrying import backoff, may_pass, retry_after

__all__ = ["Client", "FailedError", "RefusedError"]

_T = TypeVar("_T")

# Of the body of an error so much is read, and so much shown.
_ERROR_BYTES, _TEXT, _SHOWN = 1 << 16, 4096, 300
_CONNECT_SECONDS = 30.0
# A request that hangs, or whose reply is none, is sent this many times: what made it so seldom
# passes, and each time may cost a whole time-out.
_FEW = 2
# A server that is not who it says, and a URL that is none.
_HOPELESS = (aiohttp.ClientConnectorCertificateError, aiohttp.InvalidURL)


class RefusedError(EngineError):
    """The server refused a request for good.

    Attributes:
        status: of HTTP.
        text: the message of the server, without the key.
        parameter: the parameter at fault, where the server names one.
    """

    def __init__(self, message: str, status: int = 0, text: str = "", parameter: str | None = None):
        super().__init__(message)
        self.status = status
        self.text = text
        self.parameter = parameter

    @property
    def of_request(self) -> bool:
        """Whether the request is at fault, and another one may be answered."""
        return self.status in (400, 413, 422)


class FailedError(EngineError):
    """The server did not answer a request, and was asked as often as it may be.

    Attributes:
        reached: whether there was a server at the last try.
        alone: whether it is this request that failed: others were answered meanwhile, or what the
            server answered was no reply.
        malformed: whether what it answered was no reply.
    """

    def __init__(self, message: str, *, reached: bool, alone: bool, malformed: bool) -> None:
        super().__init__(message)
        self.reached = reached
        self.alone = alone
        self.malformed = malformed


class _Got(NamedTuple):
    """The reply to one request, of any status."""

    status: int
    retry_after: str | None
    location: str | None
    body: bytes


class _TooLarge(Exception):
    pass


class Client:
    """The connections to one server, for one event loop; an asynchronous context manager.

    Attributes:
        doubted: whether it may be the server that fails, and not a request: then a request that the
            server does not answer is not sent again. Its user sets it.
        sent_again: requests that were sent again.
    """

    def __init__(
        self,
        address: Address,
        key: Key | None,
        proxy: Proxy | None = None,
        *,
        concurrency: int,
        timeout: float,
        retries: int,
    ) -> None:
        """Connects to nothing yet; the named arguments are those of `ServerOptions`."""
        self._address = address
        self._key = key
        self._proxy = proxy
        # With each request and not of the session, whose headers a proxy is given too.
        self._headers = {"Content-Type": "application/json"}
        if key is not None:
            self._headers["Authorization"] = key.header()
        if proxy is not None and not address.encrypted:  # else they stand in what opens the tunnel
            self._headers |= proxy.headers
        self._concurrency = concurrency
        self._timeout = timeout
        self._retries = retries
        self._session: aiohttp.ClientSession | None = None
        self._answered = 0
        self._not_before = 0.0  # of the loop's clock: the server asked all requests to wait
        self._waiting: set[asyncio.Task[Any]] = set()
        self.doubted = False
        self.sent_again = 0

    async def __aenter__(self) -> Client:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._concurrency),
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
            auto_decompress=False,  # a small reply must not become a large one
            trust_env=False,  # the library would look for a key in ~/.netrc
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, path: str, read: Callable[[bytes], _T], *, most: int) -> _T:
        """What `read` makes of the reply to a GET; as `post`."""
        return await self._ask("GET", self._address.base + path, None, read, most)

    async def get_at_root(self, path: str, read: Callable[[bytes], _T], *, most: int) -> _T:
        """As `get`, for what stands beside the interface."""
        return await self._ask("GET", self._address.root + path, None, read, most)

    async def post(self, path: str, data: bytes, read: Callable[[bytes], _T], *, most: int) -> _T:
        """What `read` makes of the reply to a POST of JSON.

        Args:
            path: after the base of the address, with its slash.
            data: the body, JSON.
            read: raises MalformedReply where the body is no reply.
            most: bytes of a body at most.

        Raises:
            RefusedError: the server will not answer this request, however often it is sent.
            EngineError: it did not answer, and was asked as often as the options say.
        """
        return await self._ask("POST", self._address.base + path, data, read, most)

    async def _ask(
        self, method: str, url: str, data: bytes | None, read: Callable[[bytes], _T], most: int
    ) -> _T:
        path = urlsplit(url).path
        failures, few, begun = 0, 0, self._answered
        while True:
            await self._wait_for_all()
            answered = self._answered
            asked: float | None = None
            reached = True
            crowded = malformed = hopeless = False
            try:
                got = await self._once(method, url, data, most)
                if got.status == 200:
                    try:
                        result = read(got.body)
                    except ToldError as told:
                        got = got._replace(status=told.status)
                    else:
                        self._answered += 1
                        return result
                why = self._refusal(path, got)
                asked = retry_after(got.retry_after)
                crowded = got.status == 429
            except aiohttp.ConnectionTimeoutError:
                reached = False
                why = f"no connection within {_CONNECT_SECONDS:g} s"
            except TimeoutError:
                few += 1
                why = f"no whole reply to {path} within {self._timeout:g} s"
            except MalformedReply as error:
                few += 1
                malformed = True
                why = self._quoted(f"the reply to {path} is none: {error}", got.body)
            except _TooLarge:
                few += 1
                malformed = True
                why = f"the reply to {path} has more than {most:,} bytes"
            except (aiohttp.ClientError, OSError, ValueError) as error:
                # Its text names the host and the reason; its attributes would hold the key.
                why = f"{path}: {type(error).__name__}: {self._hidden(str(error)[:_TEXT])[:_SHOWN]}"
                reached = not isinstance(error, aiohttp.ClientConnectorError)
                # Once more it would be the same.
                hopeless = isinstance(error, _HOPELESS)
            if hopeless:
                raise RefusedError(f"the server {self._address.base} cannot be asked: {why}")
            # A server that answers others has no room for this one yet: that is no failure.
            if not (crowded and self._answered > answered):
                failures += 1
            if failures > (0 if self.doubted and reached else self._retries) or few >= _FEW:
                times = f", asked {failures} times" if failures > 1 else ""
                raise FailedError(
                    f"the server {self._address.base} failed{times}: {why}",
                    reached=reached,
                    alone=malformed or self._answered > begun,
                    malformed=malformed,
                )
            self.sent_again += 1
            await self._pause(max(failures, 1), asked)

    def give_up(self) -> None:
        """Sends no request again, and ends the tasks that wait to do so; the others go on."""
        self._retries = 0
        for task in self._waiting:
            task.cancel()

    async def _once(self, method: str, url: str, data: bytes | None, most: int) -> _Got:
        assert self._session is not None
        async with asyncio.timeout(self._timeout):
            request = self._session.request(
                method,
                url,
                data=data,
                headers=self._headers,
                allow_redirects=False,  # the key is for this host
                proxy=None if self._proxy is None else self._proxy.url,
                proxy_headers=None if self._proxy is None else self._proxy.headers,
            )
            async with request as response:
                good = response.status == 200
                most = most if good else _ERROR_BYTES
                body = bytearray()
                async for piece in response.content.iter_any():
                    body += piece
                    if len(body) > most:
                        if good:
                            raise _TooLarge
                        break
                found = response.headers
                return _Got(
                    response.status, found.get("Retry-After"), found.get("Location"), bytes(body)
                )

    async def _wait_for_all(self) -> None:
        """Waits while the server asks for it."""
        loop = asyncio.get_running_loop()
        while (left := self._not_before - loop.time()) > 0:
            # A share more, so that those who wait do not come at once.
            await self._wait(left + random.random() * min(left, 1.0))

    async def _pause(self, failures: int, asked: float | None) -> None:
        seconds = backoff(failures)
        if asked is not None:
            loop = asyncio.get_running_loop()
            self._not_before = max(self._not_before, loop.time() + asked)
        await self._wait(seconds)

    async def _wait(self, seconds: float) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._waiting.add(task)
        try:
            await asyncio.sleep(seconds)
        finally:
            self._waiting.discard(task)

    # -- messages --------------------------------------------------------------------------------

    def _refusal(self, path: str, got: _Got) -> str:
        """Why a request failed that may be sent again.

        Raises:
            RefusedError: it may not.
        """
        said, parameter = error_text(got.body)
        said = self._hidden(said[:_TEXT])
        what = f"{path}: status {got.status} ({shown(said.strip(), _SHOWN)})"
        if may_pass(got.status):
            return what
        remedy = ""
        if got.status in (401, 403):
            remedy = "; is the key in the environment (api_key_env) one of this server?"
        elif 300 <= got.status < 400:
            remedy = f"; it sends the client to {self._hidden(_host(got.location))}: give the URL "
            remedy += "that answers itself"
        elif got.status == 404:
            remedy = (
                "; is the URL the one before /models, mostly with /v1 at its end, and has the "
                "server the model for this interface (api)?"
            )
        raise RefusedError(
            f"the server {self._address.base} refuses {what}{remedy}",
            got.status,
            said,
            parameter if parameter is None else self._hidden(parameter[:_TEXT]),
        )

    def _quoted(self, what: str, body: bytes) -> str:
        begins = self._hidden(body[:_TEXT].decode("utf-8", "replace"))
        return f"{self._hidden(what)}; it begins {shown(begins)}"

    def _hidden(self, text: str) -> str:
        return text if self._key is None else self._key.hidden(text)


def _host(location: str | None) -> str:
    try:
        return shown(urlsplit(location or "").hostname)
    except ValueError:
        return "an address that cannot be read"
