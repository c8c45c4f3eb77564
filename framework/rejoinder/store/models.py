"""Model versions and what they scored. Runs that make them are in `rejoinder.store.runs`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal, cast

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from rejoinder.context import utc_now
from rejoinder.errors import ConflictError, NotFoundError
from rejoinder.payloads import Evaluation
from rejoinder.store.access import get_record, list_records, reading, writing
from rejoinder.store.chunks import in_chunks
from rejoinder.store.erasures import knows_erased
from rejoinder.store.ids import new_id
from rejoinder.store.tables import EvaluationRow, ModelVersion, VersionExamples, table_of

__all__ = [
    "VersionState",
    "add_evaluation",
    "add_version",
    "get_version",
    "judged_before",
    "list_evaluations",
    "list_lineage",
    "list_versions",
    "live_version",
    "live_versions",
    "promoted_before",
    "release_artefacts",
    "roll_back",
    "set_version_state",
]

VersionState = Literal["candidate", "shadow", "canary", "live", "retired"]
"""What a version does: wait; see real messages without answering; answer a few; answer all; nothing any more."""

_MOVES: Final[Mapping[VersionState, tuple[VersionState, ...]]] = {
    "candidate": ("shadow", "canary", "live", "retired"),
    "shadow": ("candidate", "canary", "live", "retired"),
    "canary": ("candidate", "shadow", "live", "retired"),
    "live": ("retired",),
    "retired": ("live",),
}

_versions = table_of(ModelVersion).c
_evaluations = table_of(EvaluationRow).c


@writing
def add_version(
    session: Session,
    tenant_id: str,
    *,
    task: str,
    artefact: str,
    sha256: str,
    base_hash: str = "",
    data_fingerprint: str = "",
    code_version: str = "",
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    metrics: Mapping[str, float] | None = None,
    parent_id: str | None = None,
    version_id: str | None = None,
    example_ids: Sequence[str] = (),
    continues: bool = False,
    at: datetime | None = None,
) -> ModelVersion:
    """Add a candidate; its number is the task's next. Where an example that it was trained on was erased meanwhile, it is marked.

    Args:
        artefact: where its files are, a path or a URI.
        sha256: of the artefact, hexadecimal.
        parent_id: the version that it started from.
        example_ids: the examples of the store that it was trained on.
        continues: it goes on from its parent's weights, so that the parent's examples are in it, too.
    Raises:
        ConflictError: there is no such tenant or parent, or another process took the number: try again.
    """
    mine = (_versions.tenant_id == tenant_id, _versions.task == task)
    learned = set(example_ids)
    if continues and parent_id is not None:
        before = session.get(VersionExamples, (tenant_id, parent_id))
        learned.update(before.example_ids if before is not None else ())
    version = ModelVersion(
        tenant_id=tenant_id,
        id=version_id or new_id("model"),
        task=task,
        number=(session.scalar(select(func.max(_versions.number)).where(*mine)) or 0) + 1,
        artefact=artefact,
        sha256=sha256,
        base_hash=base_hash,
        data_fingerprint=data_fingerprint,
        code_version=code_version,
        settings=dict(settings or {}),
        seed=seed,
        metrics=dict(metrics or {}),
        parent_id=parent_id,
        created_at=at or utc_now(),
        erased_at=(at or utc_now()) if knows_erased(session, tenant_id, learned) else None,
    )
    session.add(version)
    session.flush()
    session.add(VersionExamples(tenant_id=tenant_id, model_version_id=version.id, example_ids=sorted(learned)))
    session.flush()
    return version


@reading
def get_version(session: Session, tenant_id: str, version_id: str) -> ModelVersion:
    """Return a version.

    Raises:
        NotFoundError: the tenant has no such version.
    """
    return get_record(session, ModelVersion, "model version", tenant_id, version_id)


@reading
def list_versions(
    session: Session, tenant_id: str, *, task: str | None = None, state: VersionState | None = None, limit: int = 100
) -> list[ModelVersion]:
    """Return versions by task, newest first, at most `limit`; only those that fit what is given."""
    statement = select(ModelVersion).where(_versions.tenant_id == tenant_id)
    if task is not None:
        statement = statement.where(_versions.task == task)
    if state is not None:
        statement = statement.where(_versions.state == state)
    return list_records(session, statement.order_by(_versions.task, _versions.number.desc()).limit(limit))


@reading
def list_lineage(session: Session, tenant_id: str, version_id: str, *, limit: int = 100) -> list[ModelVersion]:
    """Return the versions that a version comes from, its parent first, at most `limit`.

    Raises:
        NotFoundError: the tenant has no such version.
    """
    version = get_record(session, ModelVersion, "model version", tenant_id, version_id)
    found: list[ModelVersion] = []
    while version.parent_id is not None and len(found) < limit:
        version = get_record(session, ModelVersion, "model version", tenant_id, version.parent_id)
        found.append(version)
    return found


@reading
def live_version(session: Session, tenant_id: str, task: str) -> ModelVersion | None:
    """Return the version that serves a task; None when none does."""
    return _live(session, tenant_id, task)


@reading
def live_versions(session: Session, tenant_ids: Collection[str]) -> dict[tuple[str, str], str]:
    """Return the ids of the versions that serve these tenants, by tenant and task: what a server asks again and again."""
    found: dict[tuple[str, str], str] = {}
    for some in in_chunks(sorted(tenant_ids)):
        mine = (_versions.tenant_id.in_(some), _versions.state == "live")
        for tenant_id, task, version_id in session.execute(
            select(_versions.tenant_id, _versions.task, _versions.id).where(*mine)
        ):
            found[tenant_id, task] = version_id
    return found


@reading
def promoted_before(session: Session, tenant_id: str, version_id: str, *, limit: int = 10) -> list[ModelVersion]:
    """Return the versions that were live before a live one and were not rolled back, the last one first.

    Raises:
        NotFoundError: the tenant has no such version.
    """
    version = get_record(session, ModelVersion, "model version", tenant_id, version_id)
    return _promoted_before(session, version, limit)


@writing
def set_version_state(
    session: Session,
    tenant_id: str,
    version_id: str,
    state: VersionState,
    *,
    instead_of: str | None = None,
    at: datetime | None = None,
) -> ModelVersion:
    """Move a version to another state; making one live retires the one that was. To the state that it has: nothing happens.

    Args:
        instead_of: make it live only where this version is; None: whichever is.
    Raises:
        NotFoundError: the tenant has no such version.
        ConflictError: there is no such move, the version's files were deleted, it was trained on what is erased since, or another
            process made another version live at the same time.
    """
    version = get_record(session, ModelVersion, "model version", tenant_id, version_id)
    before = cast("VersionState", version.state)
    if state == before:
        return version
    if state not in _MOVES[before]:
        raise ConflictError(
            f"model version {version_id!r} is {before}: from there it can become {' or '.join(_MOVES[before])}, not {state}"
        )
    now = at or utc_now()
    if state == "live":
        _refuse_unusable(version)
        former = _live(session, tenant_id, version.task)
        if instead_of is not None and (former is None or former.id != instead_of):
            raise ConflictError(
                f"model version {version_id!r} is not made live: {instead_of!r}, which it was to replace, is not live any more"
            )
        if former is not None:
            former.state, former.retired_at = "retired", now
            session.add(former)
            session.flush()
            if former.promoted_at is not None:  # the line of promotions holds even where two clocks differ
                now = max(now, former.promoted_at + timedelta(microseconds=1))
        version.promoted_at, version.retired_at = now, None
    elif state == "retired":
        version.retired_at = now
    version.state = state
    session.add(version)
    session.flush()
    return version


@writing
def roll_back(
    session: Session, tenant_id: str, task: str, *, at: datetime | None = None
) -> tuple[ModelVersion, ModelVersion]:
    """Retire a task's live version and make the one before it live again; return both. Again: the one before that.

    `promoted_at` makes the line of promotions: a version keeps it when it comes back, and loses it when it is rolled back.

    Raises:
        NotFoundError: no version of the task is live.
        ConflictError: none was live before, its files were deleted, or another process made another version live at the same time.
    """
    live = _live(session, tenant_id, task)
    if live is None:
        raise NotFoundError(f"no model version of the task {task!r} is live, so that nothing can be rolled back")
    before = next(iter(_promoted_before(session, live, 1)), None)
    if before is None:
        raise ConflictError(
            f"model version {live.id!r} cannot be rolled back: no version of the task {task!r} was live before it"
        )
    _refuse_unusable(before)
    live.state, live.retired_at, live.promoted_at = "retired", at or utc_now(), None
    session.add(live)
    session.flush()
    before.state, before.retired_at = "live", None
    session.add(before)
    session.flush()
    return live, before


@writing
def release_artefacts(session: Session, tenant_id: str, task: str, *, keep: int) -> list[str]:
    """Give up the files of retired versions but the last `keep`, and return their addresses, for the caller to delete.

    What a roll-back would make live is kept whatever `keep` says. The rows stay, with an empty `artefact`.
    """
    mine = (_versions.tenant_id == tenant_id, _versions.task == task)
    retired = list_records(
        session,
        select(ModelVersion)
        .where(*mine, _versions.state == "retired", _versions.artefact != "")
        .order_by(_versions.retired_at.desc(), _versions.number.desc()),
    )
    live = _live(session, tenant_id, task)
    # With none live for the moment, whichever was promoted last may be wanted back.
    needed = {one.id for one in (_promoted_before(session, live, 1) if live is not None else retired[:1])}
    gone = [version for version in retired[keep:] if version.id not in needed]
    addresses = [version.artefact for version in gone]
    for version in gone:
        version.artefact = ""
        session.add(version)
    session.flush()
    return addresses


@writing
def add_evaluation(
    session: Session,
    tenant_id: str,
    version_id: str,
    *,
    data: str,
    evaluation: Evaluation,
    verdict: Mapping[str, Any] | None = None,
    at: datetime | None = None,
) -> EvaluationRow:
    """Keep what a version scored.

    Args:
        data: which examples, e.g. "held_back" or a fingerprint.
        verdict: the gate's, with its reasons; None: it was not asked.
    Raises:
        NotFoundError: the tenant has no such version.
    """
    get_record(session, ModelVersion, "model version", tenant_id, version_id)
    row = EvaluationRow(
        tenant_id=tenant_id,
        id=new_id("eval"),
        model_version_id=version_id,
        data=data,
        metrics=dict(evaluation.metrics),
        correct=dict(evaluation.correct),
        scores=dict(evaluation.scores),
        verdict=None if verdict is None else dict(verdict),
        created_at=at or utc_now(),
    )
    session.add(row)
    session.flush()
    return row


@reading
def list_evaluations(session: Session, tenant_id: str, version_id: str) -> list[EvaluationRow]:
    """Return what a version scored, oldest first."""
    mine = (_evaluations.tenant_id == tenant_id, _evaluations.model_version_id == version_id)
    return list_records(session, select(EvaluationRow).where(*mine).order_by(_evaluations.created_at, _evaluations.id))


@reading
def judged_before(session: Session, tenant_id: str, task: str, *, data: str) -> list[EvaluationRow]:
    """Return what the gate judged versions of a task by, on these data, oldest first."""
    statement = (
        select(EvaluationRow)
        .join(
            ModelVersion,
            (_versions.tenant_id == _evaluations.tenant_id) & (_versions.id == _evaluations.model_version_id),
        )
        .where(_evaluations.tenant_id == tenant_id, _versions.task == task, _evaluations.data == data)
        .order_by(_evaluations.created_at, _evaluations.id)
    )
    return [row for row in list_records(session, statement) if row.verdict is not None]


def _live(session: Session, tenant_id: str, task: str) -> ModelVersion | None:
    mine = (_versions.tenant_id == tenant_id, _versions.task == task, _versions.state == "live")
    return next(iter(list_records(session, select(ModelVersion).where(*mine))), None)


def _promoted_before(session: Session, version: ModelVersion, limit: int) -> list[ModelVersion]:
    if version.promoted_at is None:
        return []
    statement = select(ModelVersion).where(
        _versions.tenant_id == version.tenant_id,
        _versions.task == version.task,
        _versions.state == "retired",
        _versions.promoted_at < version.promoted_at,
        _versions.erased_at.is_(None),
    )
    return list_records(session, statement.order_by(_versions.promoted_at.desc()).limit(limit))


def _refuse_unusable(version: ModelVersion) -> None:
    if version.erased_at is not None:
        raise ConflictError(
            f"model version {version.id!r} was trained on examples that were erased since, and serves no more: adapt anew"
        )
    if not version.artefact:
        raise ConflictError(
            f"the files of model version {version.id!r} were deleted after it was retired (setting models.keep_retired): adapt anew"
        )
