"""The file of tokens."""

import stat

import pytest

from gateway.config.tokens import add_token, make_tokens, read_tokens, remove_token
from gateway.core.access import Access, Scope
from gateway.core.errors import ConfigError

READ = frozenset({Scope.READ})


def names(path):
    return [token.name for token in read_tokens(path)]


def test_the_file_is_made_with_one_token_that_may_everything_and_does_not_hold_it(tmp_path):
    path = tmp_path / "data" / "tokens"
    text = make_tokens(path)
    assert Access(read_tokens(path)).recognise(text).scopes == {Scope.ADMIN}
    assert text not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_token_is_added_to_those_there_are_and_comments_stay(tmp_path):
    path = tmp_path / "tokens"
    make_tokens(path)
    path.write_text("# mine\n" + path.read_text())
    text = add_token(path, "grafana", READ)
    assert names(path) == ["admin", "grafana"]
    assert Access(read_tokens(path)).recognise(text).name == "grafana"
    assert path.read_text().startswith("# mine\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_first_token_makes_the_file(tmp_path):
    add_token(tmp_path / "tokens", "grafana", READ)
    assert names(tmp_path / "tokens") == ["grafana"]


def test_a_name_is_given_once(tmp_path):
    add_token(tmp_path / "tokens", "grafana", READ)
    with pytest.raises(ConfigError, match="has a token grafana"):
        add_token(tmp_path / "tokens", "grafana", READ)


def test_a_token_is_removed_but_not_the_last(tmp_path):
    path = tmp_path / "tokens"
    make_tokens(path)
    add_token(path, "grafana", READ)
    assert not remove_token(path, "nobody")
    assert remove_token(path, "grafana")
    assert names(path) == ["admin"]
    with pytest.raises(ConfigError, match="the last token"):
        remove_token(path, "admin")
    assert names(path) == ["admin"]


@pytest.mark.parametrize("content", [b"a-bare-token\n", b"", b"\xff\n", None])
def test_a_file_that_lists_no_tokens_is_told_with_the_cure_and_left_alone(tmp_path, content):
    path = tmp_path / "tokens"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    for do in (lambda: read_tokens(path), lambda: add_token(path, "x", READ)):
        with pytest.raises(ConfigError, match="--admin-token-file: admin-token") as caught:
            do()
        assert "a-bare-token" not in str(caught.value)
    assert content is None or path.read_bytes() == content


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        make_tokens(tmp_path / "file" / "tokens")
