"""Many files, one gateway: `include:`."""

import pytest

MAIN = """\
version: 1
include: [routes.d/*.yaml]
sources: {getty: {verify: none}}
endpoints: {cms: {url: "http://127.0.0.1/", sign: none}}
routes: [{name: main, match: {}, to: [cms, pager]}]
"""
TEAM_A = """\
version: 1
endpoints: {pager: {url: "http://127.0.0.1/p", sign: {secrets: [{file: key}]}}}
routes: [{name: team-a, owner: a, match: {data: {c: {in: EU}}}, to: [cms]}]
"""
TEAM_B = """\
version: 1
lists: {EU: [DE]}
routes: [{name: team-b, match: {}, to: [pager]}]
"""
KEY = "whsec_" + "a" * 43 + "="


@pytest.fixture
def team(tmp_path):
    """Write files of teams beside the routes file."""

    def team(**files: str) -> None:
        folder = tmp_path / "routes.d"
        folder.mkdir(exist_ok=True)
        (folder / "key").write_text(KEY)
        for name, text in files.items():
            (folder / f"{name}.yaml").write_text(text)

    return team


def told(loaded) -> list[str]:
    return [f"{p.file.rpartition('/')[2]}:{p.line}:{p.column} {p.code}" for p in loaded.errors]


def test_routes_of_all_files_are_one(load, team):
    team(a=TEAM_A, b=TEAM_B)
    routes = load(MAIN).routes
    assert [route.name for route in routes.routes] == ["main", "team-a", "team-b"]
    assert set(routes.endpoints) == {"cms", "pager"}
    assert routes.routes[1].owner == "a"
    assert routes.routes[1].pattern.matches({"data": {"c": "DE"}})  # a list of another file


def test_a_change_in_any_file_changes_the_fingerprint(load, team):
    team(a=TEAM_A, b=TEAM_B)
    before = load(MAIN).routes.fingerprint
    team(b=TEAM_B + "\n# more\n")
    assert load(MAIN).routes.fingerprint != before


def test_an_error_names_the_file_that_it_is_in(load, team):
    team(a=TEAM_A.replace("to: [cms]", "to: [cmz]"), b=TEAM_B.replace("EU: [DE]", "EU: []"))
    assert told(load(MAIN)) == ["a.yaml:3:70 unknown-endpoint", "b.yaml:2:13 too-short"]


def test_a_fault_in_one_file_hides_none_in_another(load, team):
    team(a="version: 1\nrotes: []\n", b="a: [", c=TEAM_B)
    found = told(load(MAIN))
    assert "a.yaml:2:1 unknown-key" in found
    assert any(each.startswith("b.yaml:2:1 yaml-syntax") for each in found)
    assert any(
        each.startswith("routes.yaml")
        for each in told(load(MAIN.replace("name: main", "nam: main")))
    )


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("sources: {getty: {verify: none}}", "source"),
        ("endpoints: {cms: {url: 'http://127.0.0.1/', sign: none}}", "endpoint"),
        ("routes: [{name: main, match: {}, to: [cms]}]", "route"),
    ],
)
def test_a_name_is_unique_across_all_files(load, team, text, kind):
    team(a=TEAM_A, b=TEAM_B, c=f"version: 1\n{text}\n")
    (problem,) = load(MAIN).errors
    assert (problem.code, problem.file.rpartition("/")[2]) == ("duplicate-name", "c.yaml")
    assert f'another {kind} "' in problem.what
    assert "routes.yaml:" in problem.what


def test_secrets_are_looked_for_beside_the_file_that_names_them(load, team):
    team(a=TEAM_A, b=TEAM_B)
    assert len(load(MAIN).routes.endpoints["pager"].keys) == 1


def test_a_pattern_that_fits_no_file_is_a_warning_a_missing_path_an_error(load):
    text = "version: 1\ninclude: [routes.d/*.yaml]\n"
    assert [(p.severity, p.code) for p in load(text).problems] == [("warning", "include")]
    text = "version: 1\ninclude: [routes.d/a.yaml]\n"
    assert told(load(text)) == ["routes.yaml:2:11 no-file"]


def test_an_included_file_includes_no_others_and_none_comes_twice(load, team):
    team(a=TEAM_A + "include: [b.yaml]\n", b=TEAM_B)
    assert "a.yaml:4:10 include" in told(load(MAIN))
    team(a=TEAM_A)
    twice = MAIN.replace("[routes.d/*.yaml]", "[routes.d/a.yaml, routes.d/*.yaml]")
    assert told(load(twice)) == ["routes.yaml:2:28 include"]


def test_a_pattern_may_fit_the_file_that_it_stands_in(load):
    loaded = load("version: 1\ninclude: ['*.yaml']\n")
    assert loaded.problems == []


def test_an_absolute_pattern_is_taken_as_such(load, team, tmp_path):
    team(a=TEAM_A, b=TEAM_B)
    assert load(MAIN.replace("routes.d/", f"{tmp_path}/routes.d/")).errors == []


def test_a_file_that_includes_itself_is_told_so(load, team):
    text = MAIN.replace("routes.d/*.yaml", "routes.yaml").replace(", pager", "")
    (problem,) = [p for p in load(text).problems if p.code == "include"]
    assert (problem.severity, problem.what) == ("warning", "the file includes itself")
    star = load(text.replace("include: [routes.yaml]", 'include: ["*.yaml"]'))
    assert [p.code for p in star.problems] == ["unverified"]


def test_a_broken_link_is_an_error_and_not_passed_over(load, team, tmp_path):
    team(a=TEAM_A, b=TEAM_B)
    (tmp_path / "routes.d" / "z.yaml").symlink_to(tmp_path / "gone.yaml")
    (problem,) = load(MAIN).errors
    assert (problem.code, problem.file.rpartition("/")[2]) == ("no-file", "z.yaml")


def test_what_may_be_in_a_file_that_cannot_be_read_is_not_told_to_be_missing(load, team):
    team(
        a=TEAM_A.replace("routes: [", "routes: [{"),
        b=TEAM_B.replace("[pager]", "[pager, {group: g}]"),
    )
    assert [each.rpartition(" ")[2] for each in told(load(MAIN))] == ["yaml-key"]


def test_a_faulty_list_is_told_once_and_not_where_it_is_used(load):
    text = """\
version: 1
lists: {Z: DE}
endpoints: {cms: {url: "http://127.0.0.1/", sign: none}}
routes: [{name: a, match: {data: {c: {in: Z}}}, to: [cms]}]
"""
    assert [each.rpartition(" ")[2] for each in told(load(text))] == ["wrong-type"]


SLIPS = """\
version: 1
endpoints:
  cms: {url: "http://127.0.0.1/", sign: none, timeout: 5s, timeout: 6s}
  pager: {url: "http://127.0.0.1/", sign: none, timeout: &a 5s}
  chat: {url: "http://127.0.0.1/", sign: none, timeout: *a}
routes:
  - {name: a, match: {data: {n: .nan, m: {prefix: 5}}}, to: [cmz], foo: 1}
  - {name: b, match: !!map {type: x}, to: [cms], mode: q}
"""


def test_slips_of_yaml_hide_no_other_mistakes(load):
    assert told(load(SLIPS)) == [
        "routes.yaml:3:60 yaml-duplicate-key",
        "routes.yaml:4:58 yaml-anchor",
        "routes.yaml:5:57 yaml-anchor",
        "routes.yaml:7:33 yaml-number",
        "routes.yaml:7:43 pattern-argument",
        "routes.yaml:7:62 unknown-endpoint",
        "routes.yaml:7:68 unknown-key",
        "routes.yaml:8:22 yaml-tag",
        "routes.yaml:8:56 unknown-value",
    ]
