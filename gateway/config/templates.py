"""Templates as they are written: JSON values whose texts may hold `${…}`."""

from collections.abc import Iterator
from itertools import chain

from gateway.config.part import Part
from gateway.core.model import Json


def texts_of(template: Json, part: Part) -> Iterator[tuple[Part, str]]:
    """Every text of a template, with its place."""
    match template:
        case str():
            yield part, template
        case list():
            yield from chain.from_iterable(texts_of(t, part.at(i)) for i, t in enumerate(template))
        case dict():
            yield from chain.from_iterable(texts_of(t, part.at(k)) for k, t in template.items())
