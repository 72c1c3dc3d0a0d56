"""The URL of a database: what is shown of it, and what is none."""

import pytest

from gateway.core.postgres_url import PostgresUrl


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://u:s3cret@h:5432/db", "postgresql://u@h:5432/db"),
        ("postgres://u@h/db", "postgres://u@h/db"),
        ("postgresql://u:a%40s3cret@h/db?sslmode=require", "postgresql://u@h/db?sslmode=require"),
        ("postgresql:///db?host=/run/pg&password=s3cret", "postgresql:///db?host=/run/pg&password=…"),
        ("postgresql://h/db?password=s3cret&user=u", "postgresql://h/db?password=…&user=u"),
    ],
)  # fmt: skip
def test_no_password_is_shown(text, shown):
    url = PostgresUrl(text)
    assert str(url) == shown
    assert "s3cret" not in f"{url!r}"
    assert url.text == text


@pytest.mark.parametrize(
    "text", ["mysql://h/db", "postgresql://h:99999999/db", "postgresql:/h/db", "postgresql://h/a/b"]
)
def test_what_is_no_url_of_a_database_is_refused(text):
    with pytest.raises(ValueError):
        PostgresUrl(text)
