"""The servers that the flows run against, and the gateway of each flow."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from examples.flows.kit.running import Gateway
from examples.flows.servers.alertmanager import Alertmanager
from examples.flows.servers.getty import Getty
from examples.flows.servers.plone import Plone
from examples.flows.servers.prism import Prism
from examples.flows.servers.roundup import Roundup
from tests.kit.leaks import nothing_leaks  # noqa: F401  # asked for by all


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A flow starts several servers."""
    for item in items:
        item.add_marker(pytest.mark.timeout(180))


@pytest.fixture
def stopped() -> Iterator[Callable]:
    """Has what is handed to it stopped in the end, the last one first."""
    with ExitStack() as end:

        def stopped(started):
            end.callback(started.stop)
            return started

        yield stopped


@pytest.fixture(scope="session")
def plone(tmp_path_factory) -> Iterator[Plone]:
    """A site, for all flows: each has pages of its own."""
    site = Plone(tmp_path_factory.mktemp("plone"))
    yield site
    site.stop()


@pytest.fixture
def getty(stopped) -> Getty:
    """A fake of Getty, which knows of nothing yet."""
    return stopped(Getty())


@pytest.fixture
def roundup(tmp_path, stopped) -> Roundup:
    """An empty tracker."""
    return stopped(Roundup(tmp_path))


@pytest.fixture
def gateway(request, tmp_path, stopped) -> Gateway:
    """The gateway of the flow whose test asks, yet to be started."""
    return stopped(Gateway(tmp_path / "gateway", request.path.parent / "routes.yaml"))


@pytest.fixture
def alertmanager(tmp_path, stopped) -> Alertmanager:
    """An Alertmanager that tells nobody."""
    return stopped(Alertmanager(tmp_path))


@pytest.fixture(scope="session")
def prism(tmp_path_factory) -> Iterator[Callable[[str], Prism]]:
    """The mock of a vendor's API, by the name of its document: it takes long to start, and remembers nothing."""
    started: dict[str, Prism] = {}
    with ExitStack() as end:

        def prism(document: str) -> Prism:
            if document not in started:
                started[document] = Prism(tmp_path_factory.mktemp("prism"), document)
                end.callback(started[document].stop)
            started[document].calls.clear()
            return started[document]

        yield prism
