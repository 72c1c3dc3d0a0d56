"""What the fields of a model mean: the text below each, read from the source when it is asked for.

pydantic can read it too, as it makes a class. It takes a third of the start of a command that reads a
routes file, and only help and the schema for editors show it.
"""

import ast
import inspect
import sys
from functools import cache
from itertools import pairwise

from pydantic import BaseModel


def meanings(model: type[BaseModel]) -> dict[str, str]:
    """By the name of the field, also of those that are inherited."""
    found: dict[str, str] = {}
    for made in reversed(model.__mro__):
        if issubclass(made, BaseModel) and made is not BaseModel:
            found |= _in_source(made.__module__).get(made.__name__, {})
    return found


@cache
def _in_source(module: str) -> dict[str, dict[str, str]]:
    """The texts below fields, by class and field."""
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return {made.name: _below(made) for made in tree.body if isinstance(made, ast.ClassDef)}


def _below(made: ast.ClassDef) -> dict[str, str]:
    texts = {}
    for field, below in pairwise(made.body):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                texts[name] = inspect.cleandoc(text)
    return texts
