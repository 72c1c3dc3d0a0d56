"""`types:` of a routes file, and `validate` of its sources."""

import pytest

from gateway.config.settings import Settings
from gateway.loading import check

HEAD = """\
version: 1
sources: {dam: {verify: none, validate: inbox}}
types:
"""
SCHEMA = '{"type": "object", "properties": {"headline": {"type": "string"}}}'


@pytest.fixture
def of_types(tmp_path, load):
    """The problems of a `types:` section, beside a folder with schemas, as `line:column code: what`."""
    (tmp_path / "good.json").write_text(SCHEMA)
    (tmp_path / "broken.json").write_text('{"type": ')
    (tmp_path / "none.json").write_text('{"type": "strin"}')
    (tmp_path / "far.json").write_text('{"$ref": "https://example.com/schema.json"}')
    (tmp_path / "large.json").write_text(" " * 1_048_577)

    def of_types(text: str) -> list[str]:
        loaded = load(HEAD + text)
        assert all(problem.cure for problem in loaded.problems)
        return [f"{p.line}:{p.column} {p.code}: {p.what}" for p in loaded.errors]

    return of_types


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("  article.created: {schema: gone.json}", "4:29 no-file: the schema cannot be read"),
        ("  article.created: {schema: broken.json}", "4:29 type-schema: this is no JSON Schema"),
        ("  article.created: {schema: none.json}", '4:29 type-schema: this is no JSON Schema: "strin"'),
        ("  article.created: {schema: far.json}", "4:29 type-schema: this is no JSON Schema: Resource"),
        ("  article.created: {schema: large.json}", "4:29 type-schema: this is no JSON Schema: it is longer"),
        ("  article.created: {}", "4:20 missing-key"),
        ("  article.created: {schema: good.json, replace: false}", "4:49 unknown-value"),
        ("  article.created: {schema: good.json, replace: true}", "4:49 type-known: the catalogue has no"),
        ("  license.expiring: {schema: good.json}", '4:3 type-known: "license.expiring" is in the catalogue'),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_type_is_told_with_its_place(of_types, text, told):
    (problem,) = of_types(text)
    assert problem.startswith(told)


def test_a_schema_counts_from_then_on_and_one_of_the_catalogue_only_where_it_is_to(load, tmp_path):
    (tmp_path / "good.json").write_text(SCHEMA)
    loaded = load(
        f"{HEAD}  article.created: {{schema: good.json}}\n"
        "  license.expiring: {schema: good.json, replace: true}\n"
    )
    misfit = loaded.routes.sources["dam"].conformance.misfit
    assert misfit("article.created", {"headline": 5}).field == "data.headline"
    assert misfit("license.expiring", {"headline": 5}).field == "data.headline"
    assert misfit("license.expiring", {"license": 5}) is None
    assert misfit("license.expired", {}).what == "is missing"
    assert loaded.files.schemas == [tmp_path / "good.json"] * 2


def test_a_schema_that_changes_is_noticed(tmp_path):
    (tmp_path / "good.json").write_text(SCHEMA)
    (tmp_path / "routes.yaml").write_text(f"{HEAD}  article.created: {{schema: good.json}}\n")
    settings = Settings(routes=tmp_path / "routes.yaml", database=tmp_path / "gateway.db")
    assert tmp_path / "good.json" in check(settings, {}, keep=False).beside


def test_names_are_unique_over_all_files(load, tmp_path):
    (tmp_path / "good.json").write_text(SCHEMA)
    (tmp_path / "more.yaml").write_text("version: 1\ntypes: {article.created: {schema: good.json}}")
    loaded = load(f"include: [more.yaml]\n{HEAD}  article.created: {{schema: good.json}}\n")
    assert [problem.code for problem in loaded.errors] == ["duplicate-name"]


def test_a_source_that_says_nothing_of_it_has_nothing_to_compare(load):
    loaded = load("version: 1\nsources: {dam: {verify: none}}")
    assert loaded.routes.sources["dam"].conformance is None


def test_who_is_asked_cannot_be_refused(problems):
    text = "version: 1\nsources: {a: {poll: getty-asset-changes, validate: reject}}"
    environment = {"GETTY_API_KEY": "k", "GETTY_API_SECRET": "s"}
    assert problems(text, **environment) == ["2:14 poll-and-posts"]
    assert problems(text.replace("reject", "inbox"), **environment) == []
    (problem,) = problems(text.replace("reject", "drop"), **environment)
    assert problem.endswith("unknown-value")
