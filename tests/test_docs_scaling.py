"""docs/scaling.md says of every statement what becomes of it where tables are spread over machines."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
STORE = ROOT / "gateway/store"


def test_it_names_each_statement_once():
    written = {
        file.stem for folder in ("sql", "postgres/sql") for file in STORE.glob(f"{folder}/*.sql")
    }
    table = re.findall(r"^\| (`.+?) \| .+\|$", (ROOT / "docs/scaling.md").read_text(), re.MULTILINE)
    named = [name for row in table for name in re.findall(r"`(\w+)`", row)]
    assert sorted(written - set(named)) == []
    assert sorted(set(named) - written) == []
    assert len(named) == len(set(named))
