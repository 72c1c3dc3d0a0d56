"""Secrets by reference."""

import stat

import orjson
import pytest

from gateway.config.secrets import SecretBook, SecretMissing, read_development_secrets
from gateway.config.shape import SecretReference
from gateway.core.signing import parse_key

REFERENCE = SecretReference(env="CMS_SECRET")


def test_the_environment_comes_first(tmp_path):
    book = SecretBook({"CMS_SECRET": " s3cret\n"}, tmp_path / "secrets.json")
    assert book.look_up(REFERENCE, tmp_path, "text") == "s3cret"
    assert book.made == []
    assert not (tmp_path / "secrets.json").exists()


def test_development_makes_a_missing_secret_once_and_keeps_it_private(tmp_path):
    file = tmp_path / "data" / "secrets.json"
    made = SecretBook({}, file).look_up(REFERENCE, tmp_path, "signing-key")
    assert len(parse_key(made)) == 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = SecretBook({}, file)
    assert again.look_up(REFERENCE, tmp_path, "signing-key") == made
    assert again.made == ["CMS_SECRET"]
    assert read_development_secrets(file) == {"CMS_SECRET": made}


def test_checking_a_file_writes_nothing(tmp_path):
    file = tmp_path / "secrets.json"
    assert SecretBook({}, file, keep=False).look_up(REFERENCE, tmp_path, "text")
    assert not file.exists()


def test_production_makes_nothing_up(tmp_path):
    with pytest.raises(SecretMissing, match="CMS_SECRET is not set"):
        SecretBook({}).look_up(REFERENCE, tmp_path, "text")


def test_a_file_that_is_not_there_is_never_made_up(tmp_path):
    with pytest.raises(SecretMissing) as caught:
        SecretBook({}, tmp_path / "secrets.json").look_up(
            SecretReference(file="cms"), tmp_path, "signing-key"
        )
    assert caught.value.code == "secret-missing"
    assert "gateway keys new" in caught.value.cure


def test_a_file_that_is_no_text_is_unreadable(tmp_path):
    (tmp_path / "cms").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(SecretMissing) as caught:
        SecretBook({}).look_up(SecretReference(file="cms"), tmp_path, "text")
    assert caught.value.code == "secret-unreadable"


def test_the_file_of_made_up_secrets_is_json_that_a_person_can_read(tmp_path):
    file = tmp_path / "secrets.json"
    book = SecretBook({}, file)
    for name in ("A", "B"):
        book.look_up(SecretReference(env=name), tmp_path, "text")
    assert set(orjson.loads(file.read_bytes())) == {"A", "B"}
    assert len(file.read_text().splitlines()) == 4
