"""Words that look like operators, where a pattern takes them for fields: what was probably meant."""

import re
from collections.abc import Sequence
from difflib import get_close_matches

from gateway.config.evidence import Evidence
from gateway.config.lint_match import ALMOST, Nested, Warn, pattern_for
from gateway.config.part import Part
from gateway.config.traps import flow
from gateway.core.grammar import BOUNDS, ELSEWHERE, EXCLUDABLE, OPERATORS
from gateway.core.model import Json

SHORT_WORD = 4
"""Words that are no longer are too much alike, whatever is meant."""
REGULAR = frozenset({"regex", "regexp", "matches", "pattern"})
NOT_IN = frozenset({"not-in", "notin", "nin", "none-of", "noneof"})
META = re.compile(r"[.^$*+?()\[\]{}|\\]")


def check_nested(nested: Nested, part: Part, evidence: Evidence, warning: Warn) -> bool:
    """Warn where what is taken for fields was probably meant as operators. Whether it was."""
    if nested.path == ("data",) or _is_seen(nested, evidence):
        return False
    field = ".".join(nested.path)
    if nested.place[-1] == "not":
        what = f'"not" is no operator: it is taken for a field, {field}'
        cure = f"did you mean `$not: {flow(dict(nested.fields))}`?"
        cure += f" Write `{field}` if it is a field"
        warning("operator-misspelt", what, cure, part.at("match", *nested.place), key=True)
        return True
    likely = {name: meant(name, argument, field) for name, argument in nested.fields.items()}
    if nested.fields.keys() & set(OPERATORS) or not all(likely.values()):
        return False
    for name, form in likely.items():
        what = f'"{name}" is no operator: it is taken for a field of {field}'
        cure = f"did you mean `{form}`? Write `{field}.{name}` if it is a field"
        warning("operator-misspelt", what, cure, part.at("match", *nested.place, name), key=True)
    return True


def _is_seen(nested: Nested, evidence: Evidence) -> bool:
    """Whether events have been seen that have such a field."""
    inner = [(*nested.path, *name.split(".")) for name in nested.fields]
    return any(path in seen for seen in evidence.types.values() for path in inner)


def meant(name: str, argument: Json, field: str) -> str | None:
    """What a word and its argument were probably meant to be; None where they may well be a field."""
    word = name.lower().replace("_", "-").removeprefix("$")
    match argument:
        case str() if word in REGULAR and (word != "pattern" or META.search(argument)):
            return _of_regular(argument, field)
        case str() if word in NOT_IN:
            return f"$not: {{{field.rpartition('.')[2]}: {{in: {flow(argument)}}}}}"
        case bool() if word in ("missing", "absent"):
            return f"{{exists: {flow(not argument)}}}"
        case [int() | float() as low, int() | float() as high] if word in ("between", "range"):
            return f"{{gte: {low}, lte: {high}}}"
        case [_, *_] if word in ("or", "any-of", "anyof") and _are_values(argument):
            return flow(argument)
    operator = _likely_operator(name)
    return _written(operator, argument) if operator and _takes(operator, argument) else None


_BY_LETTERS = {operator.replace("-", ""): operator for operator in OPERATORS}
_LONG = [operator for operator in OPERATORS if len(operator) > SHORT_WORD]


def _likely_operator(name: str) -> str | None:
    """The operator that a word was probably meant to be, if it can hardly be anything else."""
    word = name.lower().replace("_", "-")
    letters = word.replace("-", "").removeprefix("$")
    close = get_close_matches(word, _LONG, n=1, cutoff=ALMOST)
    return (
        ELSEWHERE.get(name)
        or ELSEWHERE.get(word)
        or _BY_LETTERS.get(letters)
        or next(iter(close), None)
    )


def _takes(operator: str, argument: Json) -> bool:
    """Whether an operator would take such an argument."""
    texts = argument if isinstance(argument, list) else [argument]
    match operator:
        case "gt" | "gte" | "lt" | "lte":
            return isinstance(argument, (int, float)) and not isinstance(argument, bool)
        case "exists" | "present":
            return isinstance(argument, bool)
        case "in" | "all" | "numeric":
            return isinstance(argument, list)
        case "decimal":
            return isinstance(argument, dict) and set(argument) <= set(BOUNDS)
        case "wildcard":
            return isinstance(argument, str) and bool(re.search(r"[*^$%]", argument))
        case "anything-but" if isinstance(argument, dict):
            return len(argument) == 1 and argument.keys() <= set(EXCLUDABLE)
        case "exactly" | "anything-but":
            return bool(texts) and _are_values(texts)
        case "cidr":
            return bool(texts) and all(isinstance(each, str) and "/" in each for each in texts)
        case _:
            return isinstance(argument, str)


def _are_values(items: Sequence[Json]) -> bool:
    return not any(isinstance(each, (dict, list)) for each in items)


def _written(operator: str, argument: Json) -> str:
    if operator == "exactly":
        return flow(argument)
    if operator == "wildcard":
        argument = argument.replace("%", "*")
    return f"{{{operator}: {flow(argument)}}}"


def _of_regular(text: str, field: str) -> str:
    """What a regular expression asks for, as patterns say it; where they cannot, as `when` does."""
    starts, ends = text.startswith("^"), bool(re.search(r"(?<!\\)\$$", text))
    core = text[starts : len(text) - ends]
    pieces = core.split(".*")
    plain = [re.sub(r"\\([./$+-])", r"\1", piece) for piece in pieces]
    if any(META.search(re.sub(r"\\[./$+-]", "", piece)) for piece in pieces):
        if re.fullmatch(r"[\w/.*-]*\*[\w/.*-]*", text) and ".*" not in text:  # a glob, rather
            return f"{{wildcard: {flow(text)}}}"
        quote = "'" if '"' in text else '"'
        raw = "r" if "\\" in text else ""
        return f"when: event.{field}.matches({raw}{quote}{text}{quote})"
    if len(pieces) == 1 and starts and ends:
        return flow(plain[0])
    stars = ("" if starts else "*") + "*".join(plain) + ("" if ends else "*")
    name, inner = pattern_for(re.sub(r"\*+", "*", stars))
    return f"{{{name}: {flow(inner)}}}"
