"""What comes with an extra, and is not there."""

import pytest

from gateway.config.extras import postgres_extra
from gateway.core.errors import ConfigError


def missing(name: str) -> None:
    with postgres_extra("--to"):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def test_what_has_to_be_installed_is_told():
    with pytest.raises(ConfigError, match=r"--to: extra-missing: .*rights-gateway\[postgres\]"):
        missing("asyncpg")


def test_what_else_is_missing_is_a_fault_of_ours():
    with pytest.raises(ModuleNotFoundError):
        missing("gateway.gone")
