"""What stands in a Host header (RFC 9110 §7.2)."""


def name_in(host: str) -> str | None:
    """The name or address that a Host names, in lower case, without port; None where it is none."""
    if host.startswith("["):
        name, closed, rest = host[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")):
            return None
        port = rest[1:]
    else:
        name, _, port = host.partition(":")
    if not name or (port and not (port.isascii() and port.isdigit())):
        return None
    return name.lower().removesuffix(".")
