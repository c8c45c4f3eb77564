"""Reports over HTTP and in the terminal, of what was said at a real server."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Acme, add_tenant, bearer


@pytest.fixture(scope="module")
def reported(acme: Acme) -> Acme:
    """A tenant of its own: one conversation that the bot contained, and one that it handed off."""
    own = Acme(acme.server, acme.client, add_tenant(acme.client, acme.server.operator_key, "reported"))
    own.say(own.conversation(), "when do you open?")
    own.say(own.conversation("ben"), "a person please", "ben")
    return own


def test_a_report_over_http(reported: Acme) -> None:
    made = reported.client.get("/v1/reports?by=week", headers=bearer(reported.keys["analyst"])).json()
    assert (made["tenant"], made["by"], made["time_zone"]) == ("reported", "week", "UTC")
    total = made["total"]
    assert (total["conversations"], total["handed_off"], total["containment"], total["hand_offs"]) == (2, 1, 0.5, 1)
    assert made["reasons"] == {"asked for a person": 1}
    assert sum(figures["messages"] for figures in made["periods"].values()) == 2
    accept = bearer(reported.keys["analyst"], accept="text/csv")
    written = reported.client.get("/v1/reports", headers=accept)
    assert written.headers["content-type"].startswith("text/csv")
    assert written.text.splitlines()[0].startswith("period,conversations,handed_off,containment")
    reasons = reported.client.get("/v1/reports?table=reasons", headers=bearer(reported.keys["analyst"]))
    assert reasons.text.splitlines() == ["reason,hand_offs", "asked for a person,1"]


@pytest.mark.parametrize(
    ("query", "who", "status"),
    [
        ("", "ana", 403),
        ("", "agent", 403),
        ("?from=2026-02-30", "admin", 422),
        ("?table=customers", "admin", 422),
        ("?from=2030-01-01&to=2029-01-01", "admin", 422),
    ],
)
def test_a_report_that_is_not_given(reported: Acme, query: str, who: str, status: int) -> None:
    assert reported.client.get(f"/v1/reports{query}", headers=bearer(reported.keys[who])).status_code == status


def test_a_report_in_the_terminal(reported: Acme, tmp_path: Path) -> None:
    asked = ("reports", "show", "--tenant", "reported", "--by", "week")
    ended = reported.server.run(*asked, "--csv", str(tmp_path / "week.csv"), "--pictures", str(tmp_path / "week"))
    assert ended.returncode == 0, ended.stderr
    assert "1 of 2 conversations" in ended.stdout
    assert "asked for a person (1)" in ended.stdout
    assert (tmp_path / "week.csv").read_text().splitlines()[-1].startswith("total,2,1,0.5,2,")
    assert (tmp_path / "week-reasons.csv").read_text().splitlines()[-1] == "asked for a person,1"
    assert sorted(path.name for path in tmp_path.glob("*.csv")) == [
        "week-intents.csv",
        "week-outcomes.csv",
        "week-reasons.csv",
        "week.csv",
    ]
    assert sorted(path.name for path in (tmp_path / "week").iterdir()) == [
        "failures.png",
        "hand-offs.png",
        "intents.png",
        "service.png",
    ]


@pytest.mark.parametrize(
    ("options", "told"),
    [(("--from", "today"), "expected a day such as"), (("--tenant", "reportd"), "Did you mean 'reported'")],
)
def test_what_is_wrong_is_told_in_one_line(reported: Acme, options: tuple[str, ...], told: str) -> None:
    asked = options if "--tenant" in options else ("--tenant", "reported", *options)
    ended = reported.server.run("reports", "show", *asked)
    assert ended.returncode == 1
    assert told in ended.stderr
