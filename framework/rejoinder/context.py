"""What a hook implementation may reach: one `Context` per plugin and request, holding nothing of another tenant."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from rejoinder.errors import EncoderBusyError, ModelNotReadyError
from rejoinder.payloads import Caller, Domain, Example, Task, Utterance
from rejoinder.trace import Trace

if TYPE_CHECKING:
    from rejoinder.documents.tenant_documents import TenantDocuments
    from rejoinder.graph.tenant_graph import TenantGraph
    from rejoinder.items.tenant_items import TenantItems
    from rejoinder.learning.experience import Outcomes
    from rejoinder.learning.memory import Match
    from rejoinder.models.adapters.adapter import Adapter
    from rejoinder.models.encoding.service import TextEncoder
    from rejoinder.models.learner import FloatArray, Learner, Prediction
    from rejoinder.monitoring.tenant_monitoring import TenantMonitoring
    from rejoinder.wording import WordingSettings

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the present moment, aware, in UTC: the default clock."""
    return datetime.now(UTC)


class Models(Protocol):
    """This tenant's models, at the versions that this request started with."""

    @property
    def versions(self) -> Mapping[str, str]:
        """The model version of each task used so far in this request."""

    @property
    def busy(self) -> EncoderBusyError | None:
        """The refusal that this request met because too much is waiting, or None."""

    def prefetch(self, text: str) -> None:
        """Start to encode a text that will be asked for, without waiting."""

    async def encode(self, text: str) -> FloatArray:
        """Return the base encoder's vector of a text: (dim,) float32, L2-normalised. Cached.

        Of the turn's own message it is that of the message with slips of the keyboard set right, where the tenant's model reads it so.

        Raises:
            EncoderBusyError: the queue is full.
        """

    async def predict(self, task: str, text: str, other: str | None = None) -> Prediction | None:
        """Return what this tenant's model of `task` says of a text, corrections included; None while it has learned nothing.

        Args:
            other: the second text, for tasks of two: what `text` is compared with, or the passage that answers the question `text`.

        Raises:
            InvalidInputError: `other` is missing, or the task has one text only.
            EncoderBusyError: the queue is full.
        """

    async def predict_many(self, task: str, texts: Sequence[str]) -> list[Prediction] | None:
        """Return what this tenant's model of `task`, one of one text, says of many texts, corrections included; None as `predict`.

        It is for workers: it waits while turns fill the encoder's queue, and what candidates on trial would say is not asked.

        Raises:
            InvalidInputError: the task has two texts.
        """

    def learner(self, task: str) -> Learner | None:
        """Return this tenant's model of `task` itself, for what `predict` does not say, as where many candidates are weighed at once.

        Read it only: it is shared by all requests. None where there is none.
        """

    async def recall(self, task: str, text: str) -> Match | None:
        """Return the remembered correction of `task` that this text falls under, if any."""

    async def read(self, learner: Learner, examples: Sequence[Example], *, adapter: Adapter | None = None) -> Any:
        """Return what a learner reads of examples (see `rejoinder.models.learner.Reads`), to fit or evaluate it on a worker.

        It waits while turns fill the encoder's queue.

        Args:
            adapter: what changes the encoder; None: the frozen base.

        Raises:
            ModelError: the encoder cannot give what the learner reads, or the adapter does not fit it.
        """

    async def outcomes(self, text: str, candidates: Collection[str]) -> Mapping[str, Outcomes]:
        """Return how often candidates (ids of answers) were welcome, and how often not, when they were put first for such texts.

        Those of which nobody said anything may be left out.
        """

    async def base_encoder(self) -> TextEncoder:
        """Return the frozen base encoder itself, to train an adapter on a worker; a turn uses `encode`, which does not block."""


class NoModels:
    """Models where there are none: outside a tenant, or in a process that loads none."""

    versions: Mapping[str, str] = {}  # never written to
    busy: EncoderBusyError | None = None

    def prefetch(self, text: str) -> None:
        """Do nothing."""

    async def encode(self, text: str) -> FloatArray:
        """Refuse.

        Raises:
            ModelNotReadyError: always.
        """
        raise ModelNotReadyError("there is no encoder in this process")

    async def predict(self, task: str, text: str, other: str | None = None) -> Prediction | None:
        """Return None: nothing was learned."""
        return None

    async def predict_many(self, task: str, texts: Sequence[str]) -> list[Prediction] | None:
        """Return None: nothing was learned."""
        return None

    def learner(self, task: str) -> Learner | None:
        """Return None: there is no model."""
        return None

    async def recall(self, task: str, text: str) -> Match | None:
        """Return None: nothing was corrected."""
        return None

    async def read(self, learner: Learner, examples: Sequence[Example], *, adapter: Adapter | None = None) -> Any:
        """Refuse as `encode`."""
        return await self.encode("")

    async def outcomes(self, text: str, candidates: Collection[str]) -> Mapping[str, Outcomes]:
        """Return nothing: nobody said anything."""
        return {}

    async def base_encoder(self) -> TextEncoder:
        """Refuse as `encode`."""
        raise ModelNotReadyError("there is no encoder in this process")


@dataclass(frozen=True, slots=True)
class Request:
    """What all plugins share in one request of one tenant.

    Attributes:
        plugins: names of the plugins that this tenant has enabled; no other is called.
        settings: the tenant's typed settings by plugin name.
        deadline: when the request must be done, in seconds of `time.monotonic`.
        trace: where every call is recorded.
        report: is told how far long work is, as `Context.report_progress`.
    """

    tenant: str
    caller: Caller
    models: Models
    plugins: frozenset[str]
    settings: Mapping[str, Any]
    graph: TenantGraph | None = None
    documents: TenantDocuments | None = None
    items: TenantItems | None = None
    monitoring: TenantMonitoring | None = None
    session_id: str | None = None
    history: tuple[Utterance, ...] = ()
    deadline: float = field(default_factory=lambda: time.monotonic() + 30.0)
    clock: Clock = utc_now
    trace: Trace = field(default_factory=Trace)
    report: Callable[[float, str | None], None] = lambda share, checkpoint: None

    def context(self, plugin: str) -> Context:
        """Return this request as one plugin sees it."""
        return Context(self, plugin)


class Context:
    """One request as one plugin sees it.

    Attributes:
        tenant: the tenant's id.
        plugin: the plugin's own name.
    """

    __slots__ = ("_request", "plugin", "tenant")

    def __init__(self, request: Request, plugin: str) -> None:
        self._request = request
        self.plugin = plugin
        self.tenant = request.tenant

    @property
    def settings(self) -> Any:
        """This tenant's settings of this plugin: an instance of the plugin's settings model, or None when it has none."""
        return self._request.settings.get(self.plugin)

    @property
    def wording(self) -> WordingSettings:
        """How this tenant's bot words what it says."""
        from rejoinder.wording import wording_of  # pydantic, which `import rejoinder` spares

        return wording_of(self._request.settings)

    @property
    def caller(self) -> Caller:
        """Who calls."""
        return self._request.caller

    @property
    def session_id(self) -> str | None:
        """The conversation, or None outside one."""
        return self._request.session_id

    @property
    def history(self) -> tuple[Utterance, ...]:
        """The conversation's last lines, oldest first, as stored."""
        return self._request.history

    @property
    def models(self) -> Models:
        """This tenant's models."""
        return self._request.models

    @property
    def graph(self) -> TenantGraph | None:
        """This tenant's knowledge graph; None while the deployment has none (`rejoinder graph load` makes one)."""
        return self._request.graph

    @property
    def documents(self) -> TenantDocuments | None:
        """This tenant's documents, to be searched; None in a process that keeps no store."""
        return self._request.documents

    @property
    def items(self) -> TenantItems | None:
        """This tenant's catalogue, and what people did with it; None in a process that keeps no store."""
        return self._request.items

    @property
    def monitoring(self) -> TenantMonitoring | None:
        """What was observed in this tenant's stream: trends, alerts and rules; None in a process that keeps no store."""
        return self._request.monitoring

    @property
    def remaining_s(self) -> float:
        """Seconds left until the request's deadline, never below 0."""
        return max(0.0, self._request.deadline - time.monotonic())

    def report_progress(self, share: float, *, checkpoint: str | None = None) -> None:
        """Tell how much of the work of this call is done, from any thread; costs next to nothing. Only a worker listens.

        Args:
            share: in [0, 1].
            checkpoint: where whoever takes this work up again can go on; None: as said before.
        """
        self._request.report(min(1.0, max(0.0, share)), checkpoint)

    def now(self) -> datetime:
        """The present moment by the deployment's clock, aware, in UTC."""
        return self._request.clock()

    @property
    def logger(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger whose records name the tenant and the plugin."""
        return logging.LoggerAdapter(
            logging.getLogger(f"rejoinder.plugins.{self.plugin}"), {"tenant": self.tenant, "plugin": self.plugin}
        )


@dataclass(frozen=True, slots=True)
class Deployment:
    """What `start` and `stop` are given: the installed domains and tasks, and the folder for this deployment's files.

    Attributes:
        api_hosts: the setting `security.api_hosts`: what plugins may call for tenants.
    """

    domains: tuple[Domain, ...]
    data_dir: str
    tasks: Mapping[str, Task] = field(default_factory=dict)
    clock: Clock = utc_now
    api_hosts: tuple[str, ...] = ()
