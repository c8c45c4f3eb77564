"""A plugin that implements every hook in a few lines: the examples of docs/hooks.md, run by the tests."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import typer
from fastapi import APIRouter
from rejoinder import hookimpl
from rejoinder.context import Context, Deployment
from rejoinder.payloads import (
    Action,
    Adaptation,
    AdaptationRequest,
    Alert,
    Answer,
    Channel,
    Command,
    ConversationState,
    Decision,
    Delivery,
    DeliveryReceipt,
    Detection,
    DetectorState,
    Domain,
    Effect,
    EffectResult,
    Entity,
    Evaluation,
    EvaluationRequest,
    Event,
    Example,
    Feedback,
    Message,
    Observation,
    Page,
    Poll,
    Query,
    Reading,
    Reply,
    Reward,
    Routes,
    Schedule,
    Source,
    Span,
    Table,
    Task,
    Understanding,
)
from sqlmodel import Field, SQLModel

ORDER = re.compile(r"\b[A-Z]-\d+\b")
EMAIL = re.compile(r"[^\s@]{1,64}@[^\s@]{1,255}\.[a-z]{2,}")
router = APIRouter()
commands = typer.Typer()


class Parcel(SQLModel, table=True):
    """A parcel of a user."""

    __tablename__ = "example_parcel"

    id: str = Field(primary_key=True)
    tenant: str
    user_id: str


class MostFrequent:
    """A learner that predicts the most frequent label; a real one has all methods of `rejoinder.models.learner.Learner`."""


def refresh(context: Context) -> None:
    """Fetch the carrier's list again."""


class EveryHook:
    """One small implementation of each hook."""

    def __init__(self) -> None:
        self.places: Mapping[str, str] = {}
        self.greeted: set[str] = set()

    @hookimpl()
    def register_domain(self) -> list[Domain]:
        return [Domain(name="parcels", title="Parcels", intents={"track": "Where is my parcel?"})]

    @hookimpl()
    def register_tasks(self) -> list[Task]:
        return [Task(name="urgency", learner=MostFrequent, labels=("urgent", "not urgent"))]

    @hookimpl()
    def register_tables(self) -> list[Table]:
        return [Table(model=Parcel, user_key="user_id", migrations="parcels:migrations")]

    @hookimpl()
    def register_schedules(self) -> list[Schedule]:
        return [Schedule(name="refresh", every_s=3600.0, run=refresh)]

    @hookimpl()
    def register_channel(self) -> list[Channel]:
        return [Channel(name="post_office", router=router)]

    @hookimpl()
    def register_routes(self) -> list[Routes]:
        return [Routes(router=router)]

    @hookimpl()
    def register_commands(self) -> list[Command]:
        return [Command(name="parcels", app=commands)]

    @hookimpl()
    def register_pages(self) -> list[Page]:
        return [Page(path="parcels", title="Parcels", html=lambda: "<h1>Parcels</h1>")]

    @hookimpl()
    def start(self, deployment: Deployment) -> None:
        file = Path(deployment.data_dir) / "places.json"
        self.places = json.loads(file.read_text()) if file.is_file() else {"A-17": "Leeds"}

    @hookimpl()
    def stop(self, deployment: Deployment) -> None:
        (Path(deployment.data_dir) / "places.json").write_text(json.dumps(self.places))

    @hookimpl()
    def tenant_enabled(self, context: Context) -> None:
        self.greeted.add(context.tenant)

    @hookimpl()
    def tenant_disabled(self, context: Context) -> None:
        self.greeted.discard(context.tenant)

    @hookimpl()
    def seed_examples(self) -> list[Example]:
        texts = ("where is my parcel", "track my order", "has it been sent")
        return [Example(id=f"parcels/{n}", task="intent", text=text, label="track") for n, text in enumerate(texts)]

    @hookimpl()
    def regression_examples(self) -> list[Example]:
        texts = ("my parcel is late", "where is it now", "i want to know where my order is")
        return [Example(id=f"frozen/{n}", task="intent", text=text, label="track") for n, text in enumerate(texts)]

    @hookimpl()
    async def understand_intent(self, message: Message) -> Understanding | None:
        found = ORDER.search(message.text)
        if found is None:
            return None
        order = Entity(name="order", value=found[0], span=Span(start=found.start(), end=found.end()))
        return Understanding(readings=(Reading(intent="track", confidence=0.7),), entities=(order,))

    @hookimpl(before=["dialogue"])
    async def decide_action(self, understanding: Understanding, state: ConversationState) -> Action | None:
        sure = [one for one in understanding.readings if one.intent == "track" and one.confidence > 0.6]
        if not sure or any(one.name == "order" for one in understanding.entities):
            return None
        return Action(kind="ask", state=state, text="What is the number of your order?", reason="no order number")

    @hookimpl()
    async def run_effect(self, effect: Effect) -> EffectResult | None:
        if effect.name != "reroute":
            return None
        return EffectResult(name=effect.name, ok=True, value={"parcel": effect.arguments.get("parcel")})

    @hookimpl()
    async def retrieve_answers(self, query: Query) -> Sequence[Answer]:
        place = next((self.places[one] for one in ORDER.findall(query.text or "") if one in self.places), None)
        if place is None:
            return ()
        return (Answer(id="place", score=0.9, source="parcels", text=f"It is in {place}.", intent="track"),)

    @hookimpl(trylast=True)
    async def rank_answers(self, answers: tuple[Answer, ...]) -> Sequence[Answer]:
        return [answer for answer in answers if answer.score >= 0.2]

    @hookimpl()
    async def compose_reply(self, action: Action, answers: tuple[Answer, ...]) -> Reply | None:
        if action.kind != "answer" or not answers or answers[0].text is None:
            return None
        return Reply(parts=(answers[0].text, "Anything else?"), citations=answers[0].citations)

    @hookimpl()
    async def score_feedback(self, feedback: Feedback, decision: Decision) -> list[Reward]:
        if feedback.kind != "behaviour" or feedback.value != "click":
            return []
        return [Reward(task=decision.task, value=1.0, weight=0.2, reason="clicked", about=feedback.about)]

    @hookimpl()
    async def make_examples(self, reward: Reward, feedback: Feedback, decision: Decision) -> list[Example]:
        if reward.value < 0.5 or decision.label is None:
            return []
        name = f"{feedback.id}/{reward.task}"
        return [Example(id=name, task=reward.task, text=decision.input, label=decision.label, weight=reward.weight)]

    @hookimpl()
    def choose_queue(self, task: str) -> str | None:
        return "cpu" if task == "urgency" else None

    @hookimpl()
    def adapt_model(self, request: AdaptationRequest) -> Adaptation | None:
        if request.task != "urgency":
            return None
        labels = sorted({example.label for example in request.examples if example.label})
        (Path(request.folder) / "labels.json").write_text(json.dumps(labels))
        return Adaptation(folder=request.folder, metrics={"labels": float(len(labels))})

    @hookimpl()
    def evaluate_model(self, request: EvaluationRequest) -> Evaluation | None:
        if request.task != "urgency":
            return None
        labels = json.loads((Path(request.folder) / "labels.json").read_text())
        correct = {example.id: example.label in labels for example in request.examples}
        return Evaluation(metrics={"known": sum(correct.values()) / max(1, len(correct))}, correct=correct)

    @hookimpl()
    def poll_source(self, source: Source, cursor: str | None, context: Context) -> Poll | None:
        if source.kind != "parcel_folder":
            return None
        files = sorted(path for path in Path(source.location).glob("*.txt") if path.name > (cursor or ""))
        rows = [{"id": one.name, "text": one.read_text()} for one in files]
        return Poll(rows=tuple(rows), cursor=files[-1].name if files else cursor)

    @hookimpl()
    def read_events(self, events: Sequence[Event]) -> list[Observation]:
        late = [one for one in events if one.text and "late" in one.text.split()]
        return [Observation(event_id=one.id, type="topic", at=one.at, key="parcels", value="late") for one in late]

    @hookimpl()
    def detect_change(self, observations: Sequence[Observation], state: DetectorState) -> Detection | None:
        if state.key != "parcels":
            return None
        count = state.data.get("count", 0) + len(observations)
        alerts = []
        if count >= 100 and observations:
            title = f"{count} late parcels"
            alerts.append(Alert(incident="late parcels", title=title, severity="warning", at=observations[-1].at))
        return Detection(state=replace(state, data={"count": count}), alerts=tuple(alerts))

    @hookimpl()
    async def deliver_alert(self, delivery: Delivery, context: Context) -> DeliveryReceipt | None:
        if delivery.receiver != "log":
            return None
        context.logger.warning("%s (%s)", delivery.alert.title, delivery.alert.incident)
        return DeliveryReceipt(delivered=True)

    @hookimpl()
    async def redact_text(self, text: str) -> str:
        return EMAIL.sub("[EMAIL]", text)


plugin = EveryHook()
