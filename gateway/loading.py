"""The routes file with its handlers: read, checked and loaded together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from gateway.config.part import Surroundings
from gateway.config.routes import Loaded, load_routes
from gateway.config.secrets import SecretBook
from gateway.config.settings import Settings
from gateway.core.errors import Problem
from gateway.core.routing import Routes
from gateway.plugins import Handlers


@dataclass(slots=True)
class Checked:
    """What came of the routes file that the settings name."""

    loaded: Loaded
    handlers: Handlers
    made_secrets: list[str]
    """The names of the development secrets that it uses."""

    @property
    def routes(self) -> Routes | None:
        """The routes, if the file can be used."""
        return self.loaded.routes

    @property
    def problems(self) -> list[Problem]:
        """Everything that was found, in the order of the file."""
        return self.loaded.problems


def check(
    settings: Settings,
    environment: Mapping[str, str],
    *,
    keep: bool = True,
    stand_in: Callable[[str], str] | None = None,
) -> Checked:
    """Read the routes file, look up its secrets and load its handlers.

    Development secrets that are made up on the way are written down if *keep*. *stand_in* tells,
    for an endpoint's name, the URL to use instead of its own, if any. When the file cannot be used,
    the handlers' modules are as they were before.
    """
    handlers = Handlers(settings.routes.parent.absolute())
    secrets = SecretBook(environment, settings.development_secrets, keep)
    around = Surroundings(secrets=secrets, egress=settings.egress, find_handler=handlers.find)
    if stand_in is not None:
        around = replace(around, stand_in=stand_in)
    loaded = load_routes(settings.routes, around)
    if loaded.routes is None:
        handlers.discard()
    return Checked(loaded, handlers, sorted(secrets.made))
