"""What was set, by layers; and where the database is, without all that settings need."""

from pathlib import Path

import pytest

from gateway.config.layers import database_place, what_was_set
from gateway.config.settings import read_settings
from gateway.core.errors import ConfigError


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_each_layer_says_only_what_was_set_in_it(monkeypatch):
    Path("gateway.toml").write_text('database = "a.db"\nroutes = "a.yaml"\nlisen = 1\n')
    monkeypatch.setenv("GATEWAY_ROUTES", "b.yaml")
    monkeypatch.setenv("GATEWAY_TOKEN", "no setting")
    found = what_was_set({"grace": "3s", "drain": None}, ("routes", "grace", "drain"))
    assert found == {"database": "a.db", "routes": "b.yaml", "lisen": 1, "grace": "3s"}


@pytest.mark.parametrize("flag", [None, Path("flag.db")])
@pytest.mark.parametrize("variable", [None, "variable.db"])
@pytest.mark.parametrize("file", ["", 'database = "file.db"'])
def test_the_database_is_where_the_settings_have_it(monkeypatch, flag, variable, file):
    Path("gateway.toml").write_text(file)
    if variable is not None:
        monkeypatch.setenv("GATEWAY_DATABASE", variable)
    assert database_place(flag) == read_settings({"database": flag}).database


def test_the_database_is_found_where_another_setting_is_wrong():
    Path("gateway.toml").write_text('database = "file.db"\nlisten = "nowhere"\n')
    assert database_place(None) == Path("file.db")


@pytest.mark.parametrize("content", [b"listen = \n", b"\xff"])
def test_a_file_that_cannot_be_read_is_a_configuration_error(content):
    Path("gateway.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=r"gateway\.toml"):
        database_place(None)
    with pytest.raises(ConfigError, match=r"gateway\.toml"):
        read_settings({})


def test_a_folder_in_place_of_the_file_is_a_configuration_error():
    Path("gateway.toml").mkdir()
    with pytest.raises(ConfigError, match="Is a directory"):
        database_place(None)


def test_a_database_without_a_name_is_none():
    with pytest.raises(ConfigError, match="it is empty: name a file"):
        database_place(" ")
