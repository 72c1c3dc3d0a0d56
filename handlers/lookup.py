"""Looking into decoded JSON of which nothing is certain."""

from typing import Any


def at(value: Any, path: str) -> Any:
    """What stands at a path such as `errors.0.message`; None where there is no such place."""
    for step in path.split("."):
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value
