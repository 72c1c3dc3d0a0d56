"""Warnings about what is computed, as it is written: attributes that no event has, text that is none."""

import re
from collections.abc import Mapping

from gateway.config.endpoints import event_expressions
from gateway.config.evidence import ATTRIBUTES, Evidence
from gateway.config.lint_match import Warn, attribute_cure
from gateway.config.misreadings import without_strings
from gateway.config.part import Part
from gateway.config.templates import texts_of
from gateway.core.model import Json

_ATTRIBUTE = re.compile(r"(?<![\w.])event\s*\.\??([A-Za-z_]\w*)(?!\w*\s*\()")
_FOREIGN = re.compile(
    r"\$\(\s*(?P<shell>(?:event|body|headers|item)\b[^()]*)\)"
    r"|(?<!\$)\{\{\s*(?P<braces>(?:event|body|headers|item)\b[^{}]*)\}\}"
    r"|(?<![${])\{(?P<brace>(?:event|body|item)\.[\w.]+)\}"
)
"""How other languages have a value stand within text."""


def check_conditions(
    written: Mapping[str, Json], part: Part, evidence: Evidence, warning: Warn
) -> None:
    """Warn of attributes that no event has, in what a route or a target asks and computes."""
    for key in ("when", "once", "each"):
        text = written.get(key)
        if isinstance(text, str):
            sources = [text] if key == "when" else event_expressions().sources(text)
            _check_attributes(sources, part.at(key), evidence, warning)
    for key in ("call", "with"):
        if key in written:
            check_template(written[key], part.at(key), evidence, warning)


def check_template(template: Json, part: Part, evidence: Evidence, warning: Warn) -> None:
    """Warn of attributes that no event has, and of what looks like an expression and is text."""
    for below, text in texts_of(template, part):
        if "${" in text:
            _check_attributes(event_expressions().sources(text), below, evidence, warning)
        for literal in event_expressions().literals(text):
            for found in _FOREIGN.finditer(literal):
                inner = next(each for each in found.groups() if each).strip()
                cure = f"write `${{{inner}}}`"
                warning("literal-expression", f"`{found[0]}` stands for itself", cure, below)


def _check_attributes(sources: list[str], part: Part, evidence: Evidence, warning: Warn) -> None:
    for source in sources:
        for name in dict.fromkeys(_ATTRIBUTE.findall(without_strings(source))):
            if name not in ATTRIBUTES and (cure := attribute_cure(name, evidence, "event.")):
                warning("attribute-unknown", f'events have no attribute "{name}"', cure, part)
