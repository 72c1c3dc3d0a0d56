"""Which sender takes what: the lean one plain posts, the one on aiohttp everything else."""

from dataclasses import dataclass

from gateway.core.egress import EgressPolicy
from gateway.ports import Sender
from gateway.sender.aiohttp import AiohttpSender
from gateway.sender.lean import LeanSender
from gateway.sender.own import OwnAddresses


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
    call = AiohttpSender(policy, user_agent=user_agent, own=own)
    post = call if only_aiohttp else LeanSender(policy, user_agent=user_agent, own=own)
    return Senders(post=post, call=call)
