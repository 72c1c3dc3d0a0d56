"""Queries of routes.yaml: what callers may ask of an endpoint at once, and what is kept of its answers.

An answer is fresh for `cache`, and for `stale` longer it is better than none. What is kept is bounded, by
number and by bytes; what was asked least lately goes first.
"""

import hmac
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from urllib.parse import parse_qsl, urlencode

from gateway.core.access import digest_of
from gateway.core.errors import ParameterInvalid
from gateway.core.model import SECOND, Micros
from gateway.core.secret import Key

MOST_PARAMETERS = 100
LONGEST_VALUE = 1024
"""Characters of one value."""

MOST_ANSWERS = 2000
MOST_BYTES = 32 * 1024 * 1024
"""So many answers, of so many bytes together, are kept of all queries."""
BESIDE_BODY = 500
"""About so many bytes an answer takes beside its body."""

FIRST_WAIT: Micros = 1 * SECOND
LONGEST_WAIT: Micros = 60 * SECOND
"""Where an endpoint asks to be left alone and does not say how long: doubled each time, up to this."""
LONGEST_HINT: Micros = 3600 * SECOND
"""Where it says how long, no longer than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What may be asked of an endpoint, by whom, and how its answers are kept."""

    name: str
    endpoint: str
    path: str = ""
    """Below the endpoint's URL, encoded."""
    parameters: frozenset[str] = frozenset()
    """What callers may send."""
    repeated: frozenset[str] = frozenset()
    """Those of them that may come more than once."""
    fixed: Mapping[str, str] = field(default_factory=dict)
    """What is always sent."""
    callers: tuple[Key, ...] | None = None
    """The digests of tokens; None: anyone may ask."""
    cache: Micros = 0
    stale: Micros = 0
    rate: tuple[int, Micros] | None = None
    """So many calls in so long; None: as many as are asked for."""
    most_bytes: int = 1024 * 1024
    """A longer answer is not passed on."""
    origins: frozenset[str] = frozenset()
    """Whose pages may read answers in a browser."""
    owner: str | None = None

    def admits(self, token: str | None, now: Micros) -> bool:
        """Whether who shows that token may ask; how long it takes tells nothing."""
        if self.callers is None:
            return True
        given, found = digest_of(token or ""), False
        for each in self.callers:
            found |= hmac.compare_digest(given, each.material) and each.valid(now)
        return found and token is not None

    def asked(self, query: bytes) -> str:
        """The query to send for what a caller asks: the same for all who ask the same, in any order.

        Raises ParameterInvalid, which does not repeat what was sent.
        """
        try:
            text = query.decode("ascii")
            pairs = parse_qsl(
                text, keep_blank_values=True, errors="strict", max_num_fields=MOST_PARAMETERS
            )
        except ValueError:
            cure = f"encode them in UTF-8 and percent signs, and send {MOST_PARAMETERS} at most"
            raise ParameterInvalid("the parameters cannot be read", cure=cure) from None
        self._check(pairs)
        # By name alone: of one that is repeated, the order may mean something.
        return urlencode(sorted([*pairs, *self.fixed.items()], key=lambda pair: pair[0]))

    def _check(self, pairs: list[tuple[str, str]]) -> None:
        seen: set[str] = set()
        for name, value in pairs:
            if name not in self.parameters:
                allowed = ", ".join(sorted(self.parameters)) or "none"
                cure = f"send only these: {allowed}"
                raise ParameterInvalid("a parameter is none that this query takes", cure=cure)
            if name in seen and name not in self.repeated:
                raise ParameterInvalid(f"{name} comes more than once", cure="send it once")
            if len(value) > LONGEST_VALUE:
                cure = f"send {LONGEST_VALUE} characters at most"
                raise ParameterInvalid(f"{name} is too long", cure=cure)
            seen.add(name)


@dataclass(frozen=True, slots=True)
class Answer:
    """What an endpoint answered, as callers see it."""

    status: int
    content_type: str
    body: bytes
    at: Micros
    """When it came, by the clock that never jumps."""
    tag: str = field(init=False)
    """Its entity tag (RFC 9110 §8.8.3): made once, for an answer is long and given often."""

    def __post_init__(self) -> None:
        digest = sha256(f"{self.status} {self.content_type}\n".encode() + self.body)
        object.__setattr__(self, "tag", f'"{digest.hexdigest()[:32]}"')


class Answers:
    """The answers that are kept, by which query is asked and what."""

    def __init__(self, most: int = MOST_ANSWERS, most_bytes: int = MOST_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._kept: OrderedDict[tuple[int, str], Answer] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: tuple[int, str]) -> Answer | None:
        """The answer that is kept to this; it counts as asked for just now."""
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def put(self, key: tuple[int, str], answer: Answer) -> None:
        """Keep an answer, and let go of others where there is no room."""
        self._drop(key)
        self._kept[key] = answer
        self._bytes += _size(key, answer)
        while len(self._kept) > self._most or self._bytes > self._most_bytes:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: tuple[int, str]) -> None:
        if (answer := self._kept.pop(key, None)) is not None:
            self._bytes -= _size(key, answer)


def _size(key: tuple[int, str], answer: Answer) -> int:
    return len(answer.body) + len(key[1]) + BESIDE_BODY


class BackOff:
    """How long an endpoint is left alone that asks for it, by 429 say."""

    __slots__ = ("_times", "_until")

    def __init__(self) -> None:
        self._times = 0
        self._until: Micros = 0

    def wait(self, now: Micros) -> Micros:
        """How long it is still to be left alone; 0: not at all."""
        return max(0, self._until - now)

    def refused(self, now: Micros, hint: Micros, chance: float) -> None:
        """It asks to be left alone, for as long as *hint* says (0: it does not); *chance* is in [-1, 1].

        It is a little longer, never shorter: so that not all who were told the same come back at once.
        """
        if now >= self._until:  # of several that were under way together, the first counts
            self._times += 1
        doubled = min(FIRST_WAIT * 2 ** min(self._times - 1, 10), LONGEST_WAIT)
        wait = min(hint, LONGEST_HINT) or doubled
        self._until = max(self._until, now + round(wait * (1.125 + 0.125 * chance)))

    def answered(self, now: Micros) -> None:
        """It has answered."""
        if now >= self._until:
            self._times = 0
