"""Files with keys."""

from base64 import b64encode

import pytest

from gateway.config.encryption import fresh_key, read_keys
from gateway.core.errors import ConfigError


def test_keys_are_read_in_order(tmp_path):
    for name, key in (("a", bytes(32)), ("b", bytes(range(32)))):
        (tmp_path / name).write_bytes(b64encode(key) + b"\n")
    assert read_keys([tmp_path / "a", tmp_path / "b"]) == [bytes(32), bytes(range(32))]


def test_a_fresh_key_is_one_and_another_each_time(tmp_path):
    (tmp_path / "a").write_text(fresh_key())
    (tmp_path / "b").write_text(fresh_key())
    one, two = read_keys([tmp_path / "a", tmp_path / "b"])
    assert one != two


def test_every_file_that_holds_no_key_is_told(tmp_path):
    (tmp_path / "short").write_bytes(b64encode(b"s3nsitive"))
    (tmp_path / "text").write_text("no key at all")
    with pytest.raises(ConfigError) as caught:
        read_keys([tmp_path / "short", tmp_path / "text", tmp_path / "absent"])
    assert [problem.code for problem in caught.value.problems] == ["encryption-key"] * 3
    assert "s3nsitive" not in str(caught.value)
