"""A backup, restored elsewhere, rehearsed as operations.md says: paused, looked at, resumed."""

import json

import pytest

from tests.kit.process import GatewayProcess


@pytest.mark.timeout(90)
async def test_a_backup_is_restored_elsewhere_paused_looked_at_and_resumed(
    process, sinks, sender, tmp_path
):
    process.start()
    process.run("pause", "pager")
    ids = [f"e-{i}" for i in range(20)]
    await sender.flow(f"{process.url}/in/getty", ids)
    await sinks.changed.until(lambda: set(ids) <= sinks["cms"].taken.keys())
    made = process.run("backup", "copy.db", "--json")
    assert (made.returncode, json.loads(made.stdout)["file"]) == (0, "copy.db")
    assert process.run("backup", "copy.db").returncode == 2  # never over another
    process.stop()

    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "data").mkdir(parents=True)
    (tmp_path / "routes.yaml").rename(elsewhere / "routes.yaml")
    (tmp_path / "copy.db").rename(elsewhere / "data" / "gateway.db")
    restored = GatewayProcess(elsewhere, "--paused", environment=process.environment).start()
    try:
        assert any(line.startswith("  PAUSED") for line in restored.lines)
        restored.said("started paused")
        restored.run("resume", "pager")
        status = restored.run("status")
        assert (status.returncode, "gateway resume --all" in status.stdout) == (1, True)
        waiting = json.loads(restored.run("deliveries", "--state", "scheduled", "--json").stdout)
        assert {d["endpoint"] for d in waiting["items"]} == {"pager"}
        await sender.flow(f"{restored.url}/in/getty", ["e-new", "e-3"])  # one is a duplicate
        assert sinks["pager"].taken.total() == 0
        assert restored.run("resume", "--all").returncode == 0
        await sinks.all_took({*ids, "e-new"})
        assert set(sinks["pager"].taken.values()) == {1}
        assert sinks["cms"].taken["e-3"] == 1
        assert restored.run("resume", "--all").returncode == 1
        assert restored.run("resume").returncode == 2
    finally:
        restored.stop()
