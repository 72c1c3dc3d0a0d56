"""`await:` of a route in a routes file: what makes no sense, and what is doubtful."""

import pytest

from gateway.config.lint import lint

FILE = """\
version: 1
endpoints:
  cms: {{url: "http://127.0.0.1/api", sign: none}}
routes:
  - {{name: a, match: {{type: a}}, {}}}
"""
ASK = "to: [{endpoint: cms, call: {json: '${callback.yes}'}}]"
REST = "key: '${event.id}', within: 2d"
YES = "answers: {yes: a.yes}, else: a.no"
HEARS = "decide: {match: {type: b}, key: '${event.id}', answer: '${event.data.answer}'}"


def awaits(*rest: str, ask: str = ASK) -> str:
    return FILE.format(f"{ask}, await: {{{', '.join(rest)}}}")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (awaits(REST, "else: a.no"), "missing-key"),
        (awaits(REST, "answers: {}, else: a.no"), "too-short"),
        (awaits(REST, "answers: {url: a.yes}, else: a.no"), "await-answer"),
        (awaits(REST, "answers: {'': a.yes}, else: a.no"), "name"),
        (awaits(YES, "key: '${event.id}', within: 0s"), "no-time"),
        (awaits(YES, "key: id, within: 1d"), "string-pattern-mismatch"),
        (awaits(YES, "key: '${callback.yes}', within: 1d"), "expression"),
        (awaits(REST, YES, "escalate: [{after: 2d, emit: c}]"), "await-escalate"),
        (awaits(REST, YES, "escalate: [{after: 1d, emit: '${nope}'}]"), "expression"),
        (awaits(REST, YES, HEARS.replace("b}", "{startswith: x}}")), "pattern-operator"),
        (awaits(REST, YES, HEARS.replace("event.id", "response.id")), "expression"),
        (awaits(REST, YES, ask="emit: {type: b}"), "await-nobody"),
        (awaits(REST, YES, ask=ASK.replace("callback.yes", "callback.yess")), "unknown-answer"),
        (awaits(REST, "answers: {yes: {type: b, when: 'true'}}, else: a.no"), "await-when"),
        (FILE.format(ASK), "expression"),
    ],
)
def test_what_makes_no_sense_is_an_error_with_its_place(load, text, code):
    problems = load(text).errors
    assert [problem.code for problem in problems] == [code]
    assert problems[0].line == 5
    assert problems[0].cure


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("${'yess'}", ["yess"]),
        ("${event.data.x == 1 ? 'yes' : event.data.x == 2 ? 'no' : ''}", ["no"]),
        ("${event.data.x == 'no' ? 'yes' : event.data.y}", []),
        ("y${'ess'}", []),
        ("${event.data.answer}", []),
    ],
)
def test_what_an_event_tells_is_an_answer(load, answer, told):
    found = load(awaits(REST, YES, HEARS.replace("'${event.data.answer}'", f'"{answer}"'))).errors
    assert [(each.code, each.what) for each in found] == [
        ("unknown-answer", f'there is no answer "{name}"') for name in told
    ]


@pytest.mark.parametrize("later", ["else: 'yes'", "else: n, escalate: [{after: 1h, emit: 'yes'}]"])
def test_an_answer_where_a_type_belongs_is_doubtful(load, later):
    for answers in ("{'yes': a.yes}", "{'yes': {type: a.yes}}"):
        problems = load(awaits(REST, f"answers: {answers}, {later}")).problems
        (found,) = [each for each in problems if each.code == "await-type"]
        assert (found.severity, found.cure) == ("warning", "write `a.yes`, say")


def test_a_misspelt_source_of_what_decides_is_told_there(load):
    text = awaits(REST, YES, HEARS.replace("{type: b}", "{source: jria}"))
    loaded = load(text.replace("endpoints:", "sources: {jira: {verify: none}}\nendpoints:"))
    found = [each for each in lint(loaded) if each.code == "route-unreachable"]
    assert [(each.line, each.cure) for each in found] == [(6, 'did you mean "jira"?')]


def test_that_nobody_can_answer_is_doubtful(problems):
    assert problems(awaits(REST, YES, ask="to: [cms]")) == ["5:51 await-unanswered"]
    assert problems(awaits(REST, YES, HEARS, ask="to: [cms]")) == []


@pytest.mark.parametrize("sent", ["callback", 'callback["yes"]', "string(callback.yes)"])
def test_links_may_be_sent_in_any_form(problems, sent):
    (found,) = problems(awaits(REST, YES, ask=ASK.replace("callback.yes", sent)))
    assert found.endswith("await-public-url")


def test_an_address_with_that_word_in_it_is_no_link(problems):
    ask = "to: [{endpoint: cms, call: {path: /callback, json: '${event.data}'}}]"
    assert problems(awaits(REST, YES, ask=ask)) == ["5:111 await-unanswered"]


def test_that_links_lead_to_where_others_may_not_reach_is_doubtful(problems):
    (found,) = problems(awaits(REST, YES))
    assert found.endswith("await-public-url")


def test_answers_may_say_what_comes(load):
    more = "escalate: [{after: 1d, emit: {type: c, data: 1}}]"
    answers = "answers: {yes: {type: '${event.type}.yes', subject: s}}, else: a.no"
    awaited = load(awaits(REST, answers, more, HEARS)).routes.routes[0].awaits
    assert list(awaited.answers) == ["yes"]
    assert [after // 3_600_000_000 for after, _ in awaited.escalations] == [24]
    assert awaited.hears is not None
