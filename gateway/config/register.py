"""What routes have to do with the register: core/register.py."""

from gateway.config.endpoints import event_expressions
from gateway.config.part import Part
from gateway.config.shapes import KnownShape, RememberShape, RouteShape
from gateway.core.register import Ask, Interest, Remember


def build_interest(shape: RouteShape, part: Part) -> Interest | None:
    """What a route asks of the register and tells it; what is wrong with it is noted. None: nothing."""
    if shape.remember is None and not shape.known:
        return None
    return Interest(asks=_asks(shape, part.at("known")), remembers=_remembers(shape, part))


def _asks(shape: RouteShape, part: Part) -> tuple[Ask, ...]:
    asks = (_ask(name, known, part.at(name)) for name, known in shape.known.items())
    return tuple(ask for ask in asks if ask is not None)


def _ask(name: str, known: str | KnownShape, part: Part) -> Ask | None:
    if isinstance(known, str):
        key = part.compute(known, event_expressions())
        return None if key is None else Ask(name=name, collection=name, key=key)
    where = {
        field: compute
        for field, text in known.where.items()
        if (compute := part.at("where", field).compute(text, event_expressions())) is not None
    }
    return Ask(name=name, collection=known.collection, where=where)


def _remembers(shape: RouteShape, part: Part) -> tuple[Remember, ...]:
    if shape.remember is None:
        return ()
    below = part.at("remember")
    if isinstance(shape.remember, RememberShape):
        made = [_remember(shape.remember, below)]
    else:
        made = [_remember(each, below.at(i)) for i, each in enumerate(shape.remember)]
    return tuple(each for each in made if each is not None)


def _remember(shape: RememberShape, part: Part) -> Remember | None:
    key = part.at("key").compute(shape.key, event_expressions())
    given = "value" in shape.model_fields_set
    value = part.at("value").compute(shape.value, event_expressions()) if given else None
    if key is None:
        return None
    return Remember(
        collection=shape.collection, key=key, value=value, forget=shape.forget is not None
    )
