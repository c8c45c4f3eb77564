"""Whatever fits the OpenAPI document, and whatever nearly does, is answered as the document says, and never with a 5xx."""

from __future__ import annotations

from typing import Any

import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from .conftest import Acme, add_tenant, bearer

EXAMPLES = 8
"""Requests for each operation, caller and kind (fitting, not fitting)."""

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

OF_ROWS = {"/v1/examples", "/v1/events", "/v1/items"}

KNOWN = {"tenant": "me", "plugin": "library", "key": "library.score"}
"""Values of path parameters that lead somewhere: others end at 404 before much can go wrong."""


@pytest.fixture(scope="module")
def fuzzed(acme: Acme) -> tuple[Acme, dict[str, str]]:
    """A tenant of its own, with a conversation, a turn and a decision to meet."""
    keys = add_tenant(acme.client, acme.server.operator_key, "fuzzed")
    fuzzed = Acme(acme.server, acme.client, keys)
    path = fuzzed.conversation()
    turn = fuzzed.say(path, "when do you open?").json()
    return fuzzed, {**KNOWN, "conversation_id": path.rpartition("/")[2], "turn_id": turn["id"]}


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["positive", "negative"])
@pytest.mark.parametrize("who", ["operator", "admin", "ana", "nobody"])
def test_no_request_is_too_odd(fuzzed: tuple[Acme, dict[str, str]], who: str, mode: str) -> None:
    acme, known = fuzzed
    headers = bearer(acme.keys.get(who, "rj_nobody"))
    if who == "operator":
        headers["rejoinder-tenant"] = "fuzzed"
    schema = schemathesis.openapi.from_url(f"{acme.server.url}/openapi.json")
    with requests.Session() as session:
        operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
        assert len(operations) > 25
        reached = {one.label: _ask(one, session, headers, known, mode) for one in operations}
    if who == "nobody":
        secured = [found for label, found in reached.items() if not label.endswith(("/v1/health", "/v1/ready"))]
        assert set().union(*secured) <= {401, 404}, reached
    elif mode == "positive" and who != "ana":
        assert sum(any(status < 300 for status in found) for found in reached.values()) >= 15, reached


def _ask(
    operation: Any, session: requests.Session, headers: dict[str, str], known: dict[str, str], mode: str
) -> set[int]:
    """Send requests to one operation, and check the answers; return their statuses."""
    statuses: set[int] = set()

    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(case=operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode)), lead=st.booleans())
    def ask(case: Any, lead: bool) -> None:
        if lead:
            _lead_somewhere(case, known)
        response = case.call(session=session, headers=headers)
        statuses.add(response.status_code)
        must_fail = mode == "negative" and not lead and _is_wrong(case) and response.status_code != 413
        checks = [*CHECKS, negative_data_rejection] if must_fail else CHECKS
        case.validate_response(response, checks=checks, headers=headers)

    try:
        ask()
    except hypothesis.errors.Unsatisfiable:  # nothing can be wrong with a request that has nothing to fill in
        assert mode == "negative"
    return statuses


def _is_wrong(case: Any) -> bool:
    """Say whether a request must be refused: its body is wrong, and it takes no rows, of which only the wrong ones are refused."""
    body = case.meta.components.get(ParameterLocation.BODY)
    return body is not None and body.mode.is_negative and case.path not in OF_ROWS


def _lead_somewhere(case: Any, known: dict[str, str]) -> None:
    """Put values that exist into a request's path. A tenant is never disabled: nothing could be asked for after it."""
    if case.method == "PATCH" or (case.method == "DELETE" and "plugins" in case.path):
        return
    for name in case.path_parameters or {}:
        if name in known:
            case.path_parameters[name] = known[name]
