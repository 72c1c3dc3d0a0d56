"""Leaving an endpoint alone that fails: closed, open, one probe, closed or open again.

While closed, every attempt may begin, and what it learns is counted. Too many failures open it: then
none begins until a delay has passed, and after that exactly one, the probe. Success closes the
breaker; failure opens it again, for longer. What waits meanwhile loses nothing: no attempt is made,
so none is counted.

Each attempt is given a number when it begins and shows it when it ends. The number changes with every
move of the breaker, so that what began before a move has no say after it: an attempt that hung since
before the breaker opened neither closes it nor passes for its probe.

Time and jitter are the caller's.
"""

from collections import deque
from dataclasses import dataclass
from enum import StrEnum

from gateway.core.model import (
    SECOND,
    Accepted,
    LaneMark,
    Micros,
    Outcome,
    Refused,
    Unreachable,
)
from gateway.core.retry import EGRESS_DENIED, HOUR, JITTER, MINUTE, REQUEST_INVALID

NO_TELLING = HOUR
"""How long there is to wait for a probe that is under way: until it ends."""


class BreakerState(StrEnum):
    """Whether attempts may begin."""

    CLOSED = "closed"
    """Yes."""
    OPEN = "open"
    """Not before the next probe is due; then that one."""
    PROBING = "probing"
    """No: one is under way, and decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """When a breaker opens, and for how long."""

    failures: int = 10
    """So many failures in a row open it."""
    share: int = 50
    """So do failures that are this share of the last attempts, in per cent …"""
    of: int = 50
    """… of so many …"""
    within: Micros = MINUTE
    """… if all of them are no older than this."""
    delay: Micros = 30 * SECOND
    """How long until the first probe; twice as long after each that fails …"""
    longest: Micros = 10 * MINUTE
    """… up to this."""

    def wait(self, failed_probes: int, jitter: float) -> Micros:
        """How long to leave the endpoint alone; *jitter*, in [-1, 1], spreads it by a fifth."""
        doubled = self.delay << min(failed_probes, 40)
        return round(min(doubled, max(self.longest, self.delay)) * (1 + JITTER * jitter))

    @property
    def most_failures(self) -> int:
        """The number that `share` stands for."""
        return max(1, -(-self.share * self.of // 100))


def failure_of(outcome: Outcome) -> str | None:
    """What a breaker counts as a failure, in a word; empty: the endpoint is well; None: no telling.

    Any answer shows that it is there, but for 5xx and 429. Where a handler ended by itself, or nothing
    could be sent, nothing was learned of the endpoint.
    """
    match outcome:
        case Accepted():
            return ""
        case Refused(response):
            failing = response.status >= 500 or response.status == 429
            return f"http-{response.status}" if failing else ""
        case Unreachable(reason, _):
            return None if reason in (EGRESS_DENIED, REQUEST_INVALID) else reason
        case _:
            return None


class Breaker:
    """The breaker of one endpoint; without a policy it is always closed."""

    __slots__ = (
        "_count",
        "_failed",
        "_number",
        "_policy",
        "_streak",
        "probe_at",
        "probes",
        "reason",
        "since",
        "state",
    )

    def __init__(self, policy: BreakerPolicy | None) -> None:
        self.state = BreakerState.CLOSED
        self.reason = ""
        """Why it opened last."""
        self.since: Micros = 0
        """When it opened; 0 while it is closed."""
        self.probe_at: Micros = 0
        self.probes = 0
        """How many have failed since it opened."""
        self._number = 0
        self._count = 0
        self._streak = 0
        self._failed: deque[tuple[int, Micros]] = deque()
        """The latest failures, each with the number of attempts that were counted before it."""
        self._policy: BreakerPolicy | None = None
        self.use(policy)

    @property
    def is_closed(self) -> bool:
        """Whether every attempt may begin."""
        return self.state is BreakerState.CLOSED

    def use(self, policy: BreakerPolicy | None) -> None:
        """Go by another policy from now on. An open breaker stays open, if there is one."""
        if policy is None:
            self.close()
        if policy != self._policy:
            self._failed = deque(maxlen=1 if policy is None else policy.most_failures)
            self._policy = policy

    def wait(self, now: Micros) -> Micros:
        """How long until an attempt may begin; 0: now."""
        if self.state is BreakerState.CLOSED or self._policy is None:
            return 0
        if self.state is BreakerState.PROBING:
            return NO_TELLING
        longest = now + self._policy.wait(self.probes, 1)
        self.probe_at = min(self.probe_at, longest)  # where the clock was set back
        return max(0, self.probe_at - now)

    def begin(self) -> int:
        """An attempt begins, where `wait` is 0: the number to show when it has ended."""
        if self.state is BreakerState.OPEN:
            self.state = BreakerState.PROBING
            self._number += 1
        return self._number

    def learn(self, number: int, failure: str, now: Micros, jitter: float) -> bool:
        """An attempt has ended, with a *failure* or with none (empty); whether it moved the breaker."""
        if number != self._number or self._policy is None:
            return False
        if self.state is BreakerState.PROBING:
            if failure:
                self.probes += 1
                self._open(self._policy, f"a probe failed: {failure}", now, jitter)
            else:
                self.close()
            return True
        self._count += 1
        if not failure:
            self._streak = 0
            return False
        self._streak += 1
        self._failed.append((self._count, now))
        too_many = self._too_many(self._policy, now)
        if too_many:
            self.since = now
            self._open(self._policy, f"{too_many}, the last: {failure}", now, jitter)
        return bool(too_many)

    def forget(self, number: int, now: Micros) -> None:
        """An attempt has ended, and there is no telling how: if it was the probe, another may begin."""
        if self.state is BreakerState.PROBING and number == self._number:
            self.state = BreakerState.OPEN
            self.probe_at = now
            self._number += 1

    def close(self) -> None:
        """Let attempts begin, and count anew."""
        self.state = BreakerState.CLOSED
        self.reason = ""
        self.since = self.probe_at = self.probes = 0
        self._streak = 0
        self._failed.clear()
        self._number += 1

    def restore(self, mark: LaneMark) -> None:
        """Be as the mark says. A probe that was under way then was not recorded: it is due still."""
        if mark.since and self._policy is not None:
            self.state = BreakerState.OPEN
            self.since, self.probe_at = mark.since, mark.probe_at
            self.probes, self.reason = mark.probes, mark.reason
            self._number += 1

    def follow(self, mark: LaneMark) -> None:
        """Be as another node says, open or closed."""
        if mark.since:
            self.restore(mark)
        elif not self.is_closed:
            self.close()

    def put_off(self, probe_at: Micros) -> None:
        """Someone else makes the probe that is due."""
        self.probe_at = probe_at

    def _open(self, policy: BreakerPolicy, reason: str, now: Micros, jitter: float) -> None:
        self.state = BreakerState.OPEN
        self.reason = reason
        self.probe_at = now + policy.wait(self.probes, jitter)
        self._number += 1

    def _too_many(self, policy: BreakerPolicy, now: Micros) -> str:
        """Which limit the failures have come to; empty: none."""
        if self._streak >= policy.failures:
            in_a_row = f"{self._streak} failures in a row"
            return in_a_row if self._streak > 1 else "a failure"
        failed = self._failed
        number, at = failed[0]
        recent = number > self._count - policy.of and at >= now - policy.within
        if len(failed) == failed.maxlen and recent:
            return f"{len(failed)} of the last {policy.of} attempts failed"
        return ""
