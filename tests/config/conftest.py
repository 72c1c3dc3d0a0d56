"""A folder with a routes file, and what loading makes of it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.config.part import Surroundings
from gateway.config.routes import Loaded, load_routes
from gateway.config.secrets import SecretBook
from gateway.core.egress import LOOPBACK, EgressPolicy

KEY = "whsec_" + "a" * 43 + "="


def _find_handler(name: str, arguments: tuple[str, ...] | None) -> str:
    """Why there is no such handler, or none that takes these arguments: one that is known takes `x`."""
    if name != "handlers.cms:known":
        return f"there is no {name}"
    return "it takes x" if set(arguments or ()) - {"x"} else ""


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Loaded]:
    """Load routes from text, with the environment given by keywords."""

    def load(text: str, **environment: str) -> Loaded:
        path = tmp_path / "routes.yaml"
        path.write_text(text)
        around = Surroundings(
            secrets=SecretBook(environment, tmp_path / "data" / "development-secrets.json"),
            egress=EgressPolicy(allow=LOOPBACK),
            find_handler=_find_handler,
        )
        return load_routes(path, around)

    return load


@pytest.fixture
def problems(load) -> Callable[..., list[str]]:
    """The problems of a text, as `line:column code`."""

    def problems(text: str, **environment: str) -> list[str]:
        found = load(text, **environment).problems
        assert all(problem.what and problem.cure for problem in found)
        return [f"{p.line}:{p.column} {p.code}" for p in found]

    return problems
