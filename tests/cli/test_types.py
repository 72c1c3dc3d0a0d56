"""gateway types."""

import json
import re

import pytest

from gateway.catalogue import catalogue_types, sample_of, schema_of
from gateway.catalogue.described import page
from tests.cli.test_completion import completed
from tests.kit.cli import called

OWN = """\
version: 1
types:
  article.created: {schema: article.json}
"""
SCHEMA = {
    "description": "An article has been written.", "type": "object", "required": ["headline"],
    "properties": {"headline": {"type": "string"}},
}  # fmt: skip


@pytest.fixture
def types(tmp_path):
    """What `gateway types` prints in a folder whose routes file has a type of its own."""
    (tmp_path / "routes.yaml").write_text(OWN)
    (tmp_path / "article.json").write_text(json.dumps(SCHEMA))

    def types(*arguments: str, code: int = 0) -> str:
        told = called(tmp_path, {}, "types", *arguments)
        assert told.returncode == code, told.stderr
        return told.stdout or told.stderr

    return types


def test_all_types_are_listed_those_of_the_routes_file_too(types):
    told = types()
    assert all(name in told for name in catalogue_types())
    assert re.search(r"article\.created +An article has been written\. +routes file", told)
    listed = json.loads(types("--json"))
    assert [each["type"] for each in listed] == sorted([*catalogue_types(), "article.created"])


def test_without_a_routes_file_those_of_the_catalogue_are_there(tmp_path):
    told = called(tmp_path, {}, "types", "--json")
    assert [each["type"] for each in json.loads(told.stdout)] == list(catalogue_types())


def test_of_one_type_its_fields_its_schema_and_its_sample_are_shown(types):
    told = types("license.expiring")
    assert "license.expiring: A licence ends soon." in told
    assert "days_left       whole number       always" in told
    assert "expires_at         moment or null" in told
    assert json.loads(told.split("\nsample\n")[1]) == sample_of("license.expiring")
    assert json.loads(types("license.expiring", "--json")) == schema_of("license.expiring")
    assert json.loads(types("license.expiring", "--sample")) == sample_of("license.expiring")


def test_a_type_of_ones_own_has_fields_and_no_sample(types):
    told = types("article.created")
    assert "headline  text        always" in told
    assert "sample" not in told
    assert json.loads(types("article.created", "--json")) == SCHEMA
    assert "there is no type article.created in the catalogue" in types(
        "article.created", "--sample", code=1
    )


def test_a_type_that_is_not_known_is_told_with_the_nearest(types):
    assert 'did you mean "license.expired"?' in types("licence.expired", code=1)
    assert "wants the name of a type" in types("--sample", code=2)


def test_the_page_is_printed_as_it_stands_in_the_documentation(types):
    assert types("--markdown") == page()


def test_types_are_completed(tmp_path):
    renewed = ["license.rejected", "license.renewed", "license.requested", "license.revoked"]
    assert completed(tmp_path, "types", "license.re") == renewed
    assert completed(tmp_path, "send", "--sample", "license.re") == renewed
