"""Answer a sender that makes sure that it is expected here, before it sends events."""

from collections.abc import Awaitable, Callable

import orjson

from gateway.core.computed import Scope
from gateway.core.errors import HandshakeFailed, VerificationFailed
from gateway.core.handshake import LONGEST_ANSWER, Answered, Handshake, answer
from gateway.core.model import Json
from gateway.core.routes import Source
from gateway.core.schemes.encodings import form_fields
from gateway.core.verifying import Inbound
from gateway.telemetry import Telemetry

MOST_PARAMETERS = 100
LONGEST_BODY = 16 * 1024
"""Bytes of a body that is looked into before it is proven: challenges are shorter."""

KeepSecret = Callable[[Source, str], Awaitable[bool]]
"""Keep a source's new secret, unless it has one already: whether it is the one that is kept now."""


class Handshakes:
    """Answers handshakes."""

    def __init__(self, keep_secret: KeepSecret, telemetry: Telemetry) -> None:
        self._keep_secret = keep_secret
        self._telemetry = telemetry

    async def shake(self, source: Source, request: Inbound) -> Answered | None:
        """The answer to a handshake of *source*; None: the request is none.

        Raises VerificationFailed or HandshakeFailed.
        """
        fitting = [each for each in source.handshakes if each.method == request.method]
        scope = _scope(request) if fitting else Scope()
        for handshake in fitting:
            if handshake.concerns(scope):
                verdict = handshake.verifier.verify(request)
                if not verdict.ok:
                    raise VerificationFailed(verdict.outcome)
                answered = answer(handshake, scope, request)
                _check_size(answered)
                if handshake.keeps is not None:
                    await self._keep(source, handshake, request)
                self._telemetry.emit("source.handshake", source=source.name)
                return answered
        return None

    async def _keep(self, source: Source, handshake: Handshake, request: Inbound) -> None:
        secret = request.headers.get(handshake.keeps or b"", b"").decode("latin-1")
        if not await self._keep_secret(source, secret):
            raise HandshakeFailed(
                "this source has its secret already, or cannot use this one",
                cure="to let a new one in, remove the file of its secret",
            )


def _scope(request: Inbound) -> Scope:
    return Scope(
        headers={n.decode("latin-1"): v.decode("latin-1") for n, v in request.headers.items()},
        query=_parameters(request),
        body=_decoded(request.body) if len(request.body) <= LONGEST_BODY else None,
    )


def _parameters(request: Inbound) -> dict[str, str]:
    """The query's parameters; of a repeated one, the last."""
    try:
        fields = form_fields(request.query, MOST_PARAMETERS)
    except ValueError:
        return {}
    return {
        name.decode("utf-8", "replace"): value.decode("utf-8", "replace") for name, value in fields
    }


def _decoded(body: bytes) -> Json:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _check_size(answered: Answered) -> None:
    content = answered.content
    size = len(orjson.dumps(content)) if content is not None else 0
    if size + sum(len(value) for _, value in answered.headers) > LONGEST_ANSWER:
        raise HandshakeFailed("the challenge is too long", cure=f"at most {LONGEST_ANSWER} bytes")
