"""A tenant's gate: as careful as it likes, never less than the deployment's."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from rejoinder.learning.tenant_gate import gate_of, tenant_gate
from rejoinder.settings import GateSettings

DEPLOYMENT = GateSettings(shadow_turns=10, canary_share=0.2)


def test_a_tenant_that_says_nothing_has_the_deployments_gate() -> None:
    made = tenant_gate(DEPLOYMENT)()

    assert made.model_dump() == DEPLOYMENT.model_dump()
    assert gate_of({"gate": made}, GateSettings()) is made
    assert gate_of({}, DEPLOYMENT) is DEPLOYMENT


@pytest.mark.parametrize(
    "said",
    [
        {"error": 0.01, "regression_margin": 0.01, "regression_error": 0.01, "ece_margin": 0.0, "latency_ratio": 1.2},
        {"shadow_turns": 500, "canary_share": 0.05, "canary_error": 0.05, "canary_turns": 1000, "canary_hours": 200},
        {"pause_hours": 48, "automatic": False},
    ],
)
def test_a_tenant_may_be_more_careful(said: dict[str, float]) -> None:
    assert tenant_gate(DEPLOYMENT)(**said).model_dump(include=set(said)) == said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("error", 0.06),
        ("regression_margin", 0.1),
        ("regression_error", 0.1),
        ("ece_margin", 0.1),
        ("latency_ratio", 2.0),
        ("shadow_turns", 9),
        ("canary_share", 0.3),
        ("canary_share", 0.0),
        ("canary_error", 0.001),
        ("canary_turns", 100),
        ("canary_hours", 1),
        ("pause_hours", 1),
        ("error", 0.0),
        ("unknown", 1),
    ],
)
def test_a_tenant_may_not_be_less_careful(name: str, value: float) -> None:
    with pytest.raises(ValidationError, match=name):
        tenant_gate(DEPLOYMENT)(**{name: value})


def test_what_a_person_must_promote_stays_with_a_person() -> None:
    with pytest.raises(ValidationError, match="automatic"):
        tenant_gate(GateSettings(automatic=False))(automatic=True)


def test_every_setting_of_the_gate_has_its_bound() -> None:
    loose = {"error": 0.4, "regression_margin": 0.9, "regression_error": 0.4, "ece_margin": 1.0, "latency_ratio": 100.0}
    loose |= {"canary_share": 0.5, "shadow_turns": 0, "canary_error": 1e-9, "canary_turns": 1, "canary_hours": 0.1}
    loose |= {"pause_hours": 0.0, "automatic": True}
    assert loose.keys() == GateSettings.model_fields.keys()
    model = tenant_gate(GateSettings(automatic=False, shadow_turns=1))
    for name, value in loose.items():
        with pytest.raises(ValidationError):
            model(**{name: value})
