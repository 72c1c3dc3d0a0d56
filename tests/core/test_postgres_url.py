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
        ("postgresql://u:s3cret@a:1,b:2/db", "postgresql://u@a:1,b:2/db"),
    ],
)  # fmt: skip
def test_no_password_is_shown(text, shown):
    url = PostgresUrl(text)
    assert str(url) == shown
    assert "s3cret" not in f"{url!r}"
    assert url.text == text


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://h:1,i:99999999/db",
        "mysql://h/db",
        "postgresql://h:99999999/db",
        "postgresql:/h/db",
        "postgresql://h/a/b",
    ],
)
def test_what_is_no_url_of_a_database_is_refused(text):
    with pytest.raises(ValueError):
        PostgresUrl(text)


def test_each_of_several_hosts_can_be_asked_by_itself():
    url = PostgresUrl("postgresql://u:p@a:1,[::1]:2,c/db?sslmode=require")
    ends = ("a:1", "[::1]:2", "c")
    assert url.hosts == [f"postgresql://u:p@{each}/db?sslmode=require" for each in ends]
    assert PostgresUrl("postgresql:///db?host=/run/pg").hosts == ["postgresql:///db?host=/run/pg"]
