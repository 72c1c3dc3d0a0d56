"""Which sender takes what: the lean one plain posts, the one on aiohttp everything else."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.core.egress import EgressPolicy
from gateway.core.model import Call, Outcome
from gateway.ports import Sender
from gateway.sender.lean import LeanSender
from gateway.sender.own import OwnAddresses

if TYPE_CHECKING:
    from gateway.sender.aiohttp import AiohttpSender


@dataclass(frozen=True, slots=True)
class Senders:
    """The gateway's senders."""

    post: Sender
    """For events that are posted to their endpoint as they are."""
    call: Sender
    """For what handlers and `call:` ask for, and for tokens, keys and certificates."""

    async def close(self) -> None:
        """Close idle connections."""
        await self.post.close()
        await self.call.close()


def make_senders(
    policy: EgressPolicy, own: OwnAddresses, *, user_agent: str, only_aiohttp: bool
) -> Senders:
    """Senders that obey *policy* and do not call the gateway's *own* listeners."""
    call = AiohttpWhenCalled(policy, own, user_agent)
    post = call if only_aiohttp else LeanSender(policy, user_agent=user_agent, own=own)
    return Senders(post=post, call=call)


class AiohttpWhenCalled:
    """The sender on aiohttp, imported when it first has to send.

    A gateway that only posts starts a sixth sooner without it, and does without 7 MiB.
    """

    def __init__(self, policy: EgressPolicy, own: OwnAddresses, user_agent: str) -> None:
        self._policy, self._own, self._user_agent = policy, own, user_agent
        self._sender: Sender | None = None

    async def send(self, call: Call) -> Outcome:
        """See `ports.Sender`."""
        if self._sender is None:
            kind = await asyncio.to_thread(_aiohttp_sender)
            if self._sender is None:  # of several first calls, one makes it
                self._sender = kind(self._policy, user_agent=self._user_agent, own=self._own)
        return await self._sender.send(call)

    async def close(self) -> None:
        """See `ports.Sender`."""
        if self._sender is not None:
            await self._sender.close()


def _aiohttp_sender() -> "type[AiohttpSender]":
    """The class; in a thread, for its import takes long, and the loop has other work."""
    from gateway.sender.aiohttp import AiohttpSender  # noqa: PLC0415  # see AiohttpWhenCalled

    return AiohttpSender
