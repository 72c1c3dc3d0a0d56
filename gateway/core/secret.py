"""Secrets as values that never print."""

from dataclasses import dataclass, field

from gateway.core.model import Micros


@dataclass(frozen=True, slots=True)
class Key:
    """The bytes of a secret, and the moment from which it is no longer used (None: no such moment).

    Its representation shows neither; it compares by content.
    """

    material: bytes = field(repr=False)
    until: Micros | None = None

    def valid(self, now: Micros) -> bool:
        """Whether it may still be used at *now*."""
        return self.until is None or now < self.until


class Secret:
    """A text that never prints: `str`, `repr` and formatting show that it is one, and no more.

    It is no `str`, so that whoever wants its text has to say so, by `reveal`.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return "<secret>"

    __str__ = __repr__

    def __format__(self, specification: str) -> str:
        return format(repr(self), specification)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)
