"""Patterns and events for property tests: of so few names and values that they meet all the time."""

from hypothesis import strategies as st

NAMES = st.sampled_from(["a", "b", "c", "a", "b", "a.b", "b.c", "a.b.c", "b."])
TEXTS = st.sampled_from(
    ["", "a", "A", "ab", "aB", "abcabc", "xabcabcx", "ß", "SS", "\u212a", "k", "1", "1.5", "-2e1",
     "10.0.0.1", "10.0.0.01", "::1", "a*b", "a\nb"]
)  # fmt: skip
NUMBERS = st.sampled_from(
    [0, 1, 2, 1.0, 1.5, -0.0, -3, 2**53, 2**53 + 1, 2**64 - 1, float(2**64), -(2**63)]
)
LEAVES = st.none() | st.booleans() | NUMBERS | TEXTS
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)
EVENTS = st.dictionaries(NAMES, VALUES, max_size=4)
"""Of the numbers that orjson makes: whole ones of 64 bits, others as floats."""

LISTS = {"few": ["a", 1, None], "many": ["a", "ab", "abcabc", 0, 1, 2, True], "none": ["z"]}


def _mapping(**values):
    return st.fixed_dictionaries({name.replace("_", "-"): value for name, value in values.items()})


FOLDED = TEXTS | _mapping(equals_ignore_case=TEXTS)
WILDCARDS = st.lists(st.sampled_from(["", "a", "ab", "abc", "bca", "abcabc", "1", r"\*"]),
                     min_size=1, max_size=4).map("*".join).filter(lambda t: "**" not in t)  # fmt: skip
NETWORKS = st.sampled_from(["10.0.0.0/8", "10.0.0.1/32", "10.0.0.0/31", "::/0", "::1/128", "0.0.0.0/0"])  # fmt: skip
FEW = {"min_size": 1, "max_size": 3}
TESTS = {
    "exactly": TEXTS,
    "prefix": FOLDED,
    "suffix": FOLDED,
    "contains": FOLDED,
    "equals-ignore-case": TEXTS,
    "wildcard": WILDCARDS | _mapping(equals_ignore_case=WILDCARDS),
    "anything-but": LEAVES
    | st.lists(LEAVES, **FEW)
    | _mapping(prefix=TEXTS.filter(bool))
    | _mapping(suffix=st.lists(TEXTS.filter(bool), **FEW))
    | _mapping(equals_ignore_case=TEXTS)
    | _mapping(wildcard=WILDCARDS),
    "numeric": st.tuples(st.sampled_from(["=", "<", "<=", ">", ">="]), NUMBERS).map(list)
    | st.tuples(st.just(">="), NUMBERS, st.just("<="), NUMBERS).map(list),
    "gt": NUMBERS,
    "gte": NUMBERS,
    "lt": NUMBERS,
    "lte": NUMBERS,
    "decimal": _mapping(gte=st.sampled_from(["-20", 1, "1.5"]))
    | _mapping(gt=st.sampled_from([-21, 1]), lte=st.sampled_from(["1.50", 7])),
    "cidr": NETWORKS | st.lists(NETWORKS, **FEW),
    "in": st.sampled_from(sorted(LISTS)) | st.lists(LEAVES, **FEW),
    "exists": st.booleans(),
    "present": st.booleans(),
}
"""An operator's possible arguments."""
SINGLE = st.one_of([_mapping(**{name: argument}) for name, argument in TESTS.items()])
SEVERAL = st.tuples(SINGLE, SINGLE, SINGLE).map(lambda each: each[0] | each[1] | each[2])
OPERATORS = SINGLE | SEVERAL | _mapping(all=st.lists(LEAVES | SINGLE, **FEW))
_FIELDS = LEAVES | OPERATORS | st.lists(LEAVES | OPERATORS, min_size=1, max_size=7)


@st.composite
def fields(draw):
    """What a field may have to satisfy. (A function: what it is made of is too long to print.)"""
    return draw(_FIELDS)


@st.composite
def patterns(draw):
    """Of everything that there is. Some are refused: their ranges are empty."""
    return draw(_PATTERNS)


@st.composite
def one_field(draw):
    """A pattern that asks much of one field, and an event that has it."""
    return {"a": draw(fields())}, {"a": draw(LEAVES | st.lists(LEAVES, max_size=3))}


@st.composite
def in_arrays(draw):
    """A pattern that asks little of many fields, and an event with arrays of objects."""
    return draw(_ARRAY_PATTERNS), {"a": draw(_ARRAYS), "b": draw(_ARRAYS)}


def _nested(wanted):
    def nested(inner):
        members = st.dictionaries(NAMES, wanted | inner, **FEW)
        branches = st.lists(members, min_size=2, max_size=2)
        combining = st.fixed_dictionaries(
            {}, optional={"$or": branches, "$and": branches, "$not": members}
        )
        return st.tuples(members, combining).map(lambda each: each[0] | each[1])

    return st.recursive(st.dictionaries(NAMES, wanted, **FEW), nested, max_leaves=4)


_PATTERNS = _nested(fields())
_FEW_LEAVES = st.sampled_from([0, 1])
_WANTED = _FEW_LEAVES | st.sampled_from([
    {"exists": False}, {"exists": True}, {"present": True}, {"present": False},
    {"anything-but": 0}, [0, {"exists": False}], [1, {"present": False}], {"all": [0, 1]}, {"gte": 1},
])  # fmt: skip
_ARRAY_PATTERNS = _nested(_WANTED)
_OBJECTS = st.recursive(
    st.dictionaries(st.sampled_from("abc"), _FEW_LEAVES, max_size=3),
    lambda inner: st.dictionaries(
        st.sampled_from(["a", "b", "c", "a.b"]),
        _FEW_LEAVES | inner | st.lists(_FEW_LEAVES | inner | st.lists(inner, max_size=2), max_size=3),
        max_size=3,
    ),
    max_leaves=8,
)  # fmt: skip
_ARRAYS = st.lists(_OBJECTS, max_size=4) | _OBJECTS
