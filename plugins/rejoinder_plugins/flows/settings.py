"""Settings of the plugin `flows`."""

from __future__ import annotations

from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationInfo, field_validator, model_validator
from rejoinder.allowed_hosts import has_host_and_port
from rejoinder.errors import FlowError
from rejoinder.flows import FlowBook, check_flows, load_flows
from rejoinder.flows.loading import choose_flows, read_definitions
from rejoinder.header_token import HeaderToken

Text = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
Phrase = Annotated[str, StringConstraints(min_length=1, max_length=200)]

_TAKEN_HEADERS: Final = frozenset(
    (
        "accept",
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "forwarded",
        "host",
        "idempotency-key",
        "keep-alive",
        "proxy-authorization",
        "rejoinder-user",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
"""Headers that a call sets itself, or that say where it goes and how it is read."""


class ApiSettings(HeaderToken):
    """The tenant's own HTTP API, which flows call."""

    url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$",
        max_length=2000,
        description="Address before the path of each call; unset: calls fail. `security.api_hosts` of the deployment says which hosts.",
    )
    timeout_s: float = Field(default=5.0, ge=0.05, le=20.0, description="Time that one try of a call may take.")
    retries: int = Field(
        default=2, ge=0, le=5, description="Tries after the first one that found no answer, or a server in trouble."
    )

    @field_validator("url")
    @classmethod
    def _has_a_host_and_port(cls, url: str | None) -> str | None:
        if url is not None and not has_host_and_port(url):
            raise ValueError("the address needs a host, and a port from 1 to 65535 if it names one")
        return url

    @field_validator("token_header")
    @classmethod
    def _is_free_for_a_token(cls, header: str) -> str:
        if header.lower() in _TAKEN_HEADERS:
            raise ValueError(f"{header} says something else of a call; name another header for the token")
        return header


class FlowTexts(BaseModel):
    """What the bot says around the steps of flows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cancelled: Text = Field(default="All right, I've stopped that.", description="Said when a person gives a flow up.")
    back: Text = Field(default="Back to this: {title}.", description="Said when a flow goes on after another one.")
    corrected: Text = Field(default="All right, {title}: {value}.", description="Said when a value was corrected.")
    too_late: Text = Field(
        default="Sorry, that was passed on already and can't be changed here.",
        description="Said when a value can no longer be corrected.",
    )
    not_understood: Text = Field(
        default="Sorry, I didn't get that.", description="Said before a question is asked again."
    )
    needed: Text = Field(
        default="Sorry, I need {hint}.", description="Said before it where the slot says what is expected."
    )
    yes_or_no: Text = Field(
        default="Please answer with yes or no.", description="Said when neither came and one is wanted."
    )
    yes_option: Text = Field(default="Yes", description="Title of the option that means yes.")
    no_option: Text = Field(default="No", description="Title of the option that means no.")
    failed: Text = Field(
        default="I'm sorry, I can't reach our systems at the moment. I'm passing you on to a colleague, who will help you here.",
        description="Said when a call failed and the flow says nothing of that.",
    )
    gave_up: Text = Field(
        default="I'm sorry, we don't seem to understand each other. I'm passing you on to a colleague, who will help you here.",
        description="Said when too many answers could not be used.",
    )
    done: Text = Field(default="Done.", description="Said when a flow ends without a word.")


class FlowsSettings(BaseModel):
    """Which flows a tenant has, the API they call, and when they begin, wait and give up."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    use: tuple[Phrase, ...] = Field(
        default=(), max_length=200, description="Names of flows of the installed domains that this tenant has."
    )
    definitions: dict[str, Any] = Field(
        default_factory=dict,
        max_length=200,
        description="Flows of the tenant's own, by name, in the language of `docs/guide/flows.md`; they win over a domain's.",
    )
    api: ApiSettings = Field(default_factory=ApiSettings, description="The tenant's own HTTP API.")
    start_confidence: float = Field(
        default=0.5, ge=0.0, le=1.0, description="A flow begins when its intent is read at least this surely."
    )
    interrupt_confidence: float = Field(
        default=0.6,
        ge=0.0,
        le=1.0,
        description="While a flow waits, another question is answered when its intent is read at least this surely.",
    )
    min_in_scope: float = Field(
        default=0.5,
        ge=0.0,
        le=1.0,
        description="Intents count only where the message is at least this probably in scope.",
    )
    most_failures: int = Field(
        default=3, ge=1, le=10, description="Answers in a row that may be unusable before a person takes over."
    )
    cancel_phrases: tuple[Phrase, ...] = Field(
        default=(), max_length=200, description="More whole messages that give a flow up, in any language."
    )
    yes_phrases: tuple[Phrase, ...] = Field(
        default=(), max_length=200, description="More whole messages that mean yes."
    )
    no_phrases: tuple[Phrase, ...] = Field(default=(), max_length=200, description="More whole messages that mean no.")
    hand_off_notifier: str = Field(
        default="",
        max_length=200,
        description="Name of the plugin that notifies people of a hand-off out of a flow, as `dialogue.hand_off_notifier` does of others.",
    )
    texts: FlowTexts = Field(default_factory=FlowTexts, description="What the bot says around the steps of flows.")

    def has_flows(self) -> bool:
        """Tell whether the tenant has any flow."""
        return bool(self.use or self.definitions)

    @field_validator("use", mode="before")
    @classmethod
    def _one_is_a_list(cls, use: Any) -> Any:
        return (use,) if isinstance(use, str) else use

    @field_validator("use")
    @classmethod
    def _are_there(cls, use: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        """Refuse names of flows that no domain has, where it is known which domains are installed: when a change is checked."""
        domains = (info.context or {}).get("domains")
        if use and domains is not None:
            shipped = load_flows(source for domain in domains for source in domain.flows)
            _, problems = choose_flows(shipped, use, FlowBook())
            if problems:
                known = ", ".join(sorted(shipped.flows)) or "none"
                told = " ".join(problem.removeprefix("flows.use: ") for problem in problems)
                raise ValueError(f"{told} Flows of the installed domains: {known}")
        return use

    @field_validator("definitions")
    @classmethod
    def _are_flows(cls, definitions: dict[str, Any]) -> dict[str, Any]:
        try:
            read_definitions(definitions)
        except FlowError as error:
            raise ValueError("; ".join(error.problems)) from error
        return definitions

    @model_validator(mode="after")
    def _can_run(self) -> Self:
        """Refuse flows that cannot run, where they stand alone; what a domain's flows add is known only where domains are installed."""
        if self.definitions and not self.use and (found := check_flows(read_definitions(self.definitions))):
            raise ValueError("; ".join(map(str, found)))
        return self
