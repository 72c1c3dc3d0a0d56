"""The routes file with its handlers: read, checked and loaded together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from gateway.config.evidence import Evidence
from gateway.config.examples import Examples, read_examples
from gateway.config.lint import allowed, lint
from gateway.config.part import Surroundings
from gateway.config.routes import Loaded, load_routes
from gateway.config.secrets import SecretBook
from gateway.config.settings import Settings
from gateway.core.errors import Problem
from gateway.core.redaction import Redaction
from gateway.core.routes import Routes
from gateway.examples import add_evidence
from gateway.plugins import Handlers


@dataclass(slots=True)
class Checked:
    """What came of the routes file that the settings name."""

    loaded: Loaded
    handlers: Handlers
    made_secrets: list[str]
    """The names of the development secrets that it uses."""
    beside: frozenset[Path] = frozenset()
    """The files that it refers to for secrets, certificates and schemas, whether they are there or not."""
    examples: Examples = field(default_factory=Examples)
    """The tests beside the routes. What is wrong with them is no problem of the routes."""

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
    progress: Callable[[str, int, int], None] | None = None,
    evidence: Evidence | None = None,
    redaction: Redaction | None = None,
) -> Checked:
    """Read the routes file, look up its secrets and load its handlers.

    Development secrets that are made up on the way are written down if *keep*. *stand_in* tells,
    for an endpoint's name, the URL to use instead of its own, if any. *progress* is told what is being
    done, and how much of it has been. *evidence* is what is known of the data, beside the events of
    the tests. *redaction* is told every secret. When the file cannot be used, the handlers' modules are as they were before.
    """
    handlers = Handlers(settings.routes.parent.absolute())
    redaction = Redaction() if redaction is None else redaction
    secrets = SecretBook(environment, settings.development_secrets, keep, redaction=redaction)
    around = Surroundings(
        secrets=secrets,
        egress=settings.egress,
        find_handler=handlers.find,
        public_url=settings.public_url or "",
        trusts_proxies=bool(settings.trusted_proxy),
    )
    if stand_in is not None:
        around = replace(around, stand_in=stand_in)
    if progress is not None:
        around = replace(around, progress=progress)
    loaded = load_routes(settings.routes, around)
    examples = read_examples(loaded.files)
    if loaded.routes is not None:
        for endpoint in loaded.routes.endpoints.values():
            redaction.know(endpoint.headers.values())
    if loaded.routes is None:
        handlers.discard()
    else:
        evidence = Evidence() if evidence is None else evidence
        add_evidence(evidence, examples.found, loaded.routes)
        loaded.problems += lint(loaded, evidence)
    told = (problem for problem in loaded.problems if not allowed(problem, loaded))
    loaded.problems = loaded.files.in_order(told)
    # What is there and no file is read once: a pipe, say, by which a shell hands a secret over.
    beside = frozenset(
        path.absolute()
        for path in (*secrets.files, *loaded.files.schemas)
        if path.is_file() or not path.exists()
    )
    return Checked(loaded, handlers, sorted(secrets.made), beside, examples)
