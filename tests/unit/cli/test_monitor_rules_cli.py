"""`rejoinder monitor rules`, over a store."""

from __future__ import annotations

import json
from collections.abc import Callable

from typer.testing import Result

Run = Callable[..., Result]


def test_rules_are_added_listed_and_removed_in_one_tenant(run: Run) -> None:
    for tenant in ("acme", "other"):
        run("tenant", "create", tenant)
    arguments = ("acme", "sentiment", "below", "--user", "key:1", "--name", "Acme", "--hours", "6")
    added = run("monitor", "rules", "add", "--tenant", "acme", "--json", *arguments, "--", "-0.2")
    rule = json.loads(added.stdout)
    assert rule["says"] == "the mean sentiment on Acme over 6 hours falls below -0.20 (of 3 texts or more)"
    listed = json.loads(run("monitor", "rules", "list", "--tenant", "acme", "--json").stdout)
    assert [one["id"] for one in listed] == [rule["id"]]
    assert json.loads(run("monitor", "rules", "list", "--tenant", "acme", "--user", "key:2", "--json").stdout) == []
    assert json.loads(run("monitor", "rules", "list", "--tenant", "other", "--json").stdout) == []
    crossed = run("monitor", "rules", "remove", "--tenant", "other", rule["id"], code=1)
    assert "no alert rule" in crossed.output
    wrong = run("monitor", "rules", "add", "--tenant", "acme", "acme", "sentiment", "times", "2", code=1)
    assert "needs a count" in wrong.output
    run("monitor", "rules", "remove", "--tenant", "acme", rule["id"])
    assert json.loads(run("monitor", "rules", "list", "--tenant", "acme", "--json").stdout) == []
