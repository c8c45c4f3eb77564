"""Every error that Rejoinder raises on purpose.

RejoinderError
├── SettingsError                 a setting is unknown, missing or out of range
├── PluginError                   something is wrong with a plugin (carries plugin, distribution)
│   ├── PluginLoadError           it cannot be imported or found
│   ├── PluginSpecError           its hook implementations do not fit the specifications
│   ├── PluginOrderError          declared orders contradict one another
│   └── HookError                 one call of one hook failed (carries hook, tenant)
│       ├── HookTimeoutError      it did not answer within its deadline
│       ├── HookResultError       it answered with the wrong type or a value out of range
│       ├── HookUnavailableError  its circuit breaker is open, or all its threads are stuck
│       └── RedactionError        a redactor failed; the text must not be stored
├── NotFoundError                 no such record in this tenant (also a LookupError)
├── ConflictError                 the record exists already or has changed meanwhile
├── InvalidInputError             what a caller sent cannot be used (also a ValueError)
│   ├── PayloadError              a value does not fit its payload type
│   ├── FlowError                 a flow cannot be used (carries problems)
│   └── GraphSchemaError          what is to be written does not fit the graph's schema
├── AccessError                   the caller may not do this
│   └── AuthenticationError       the key or token is missing, wrong, expired or revoked
├── RateLimitedError              the caller asks too often (carries retry_after_s)
├── BacklogError                  too many events wait to be read (carries retry_after_s)
├── StoreError                    the record store failed
│   └── StoreUnavailableError     it cannot be reached; safe to retry
├── GraphError                    the knowledge graph failed
│   ├── GraphUnavailableError     it cannot be reached; safe to retry
│   └── GraphQueryError           Cypher that is refused or wrong, or that runs into a limit (also a ValueError)
└── ModelError                    something is wrong with a model
    ├── ModelIntegrityError       a model file is missing or damaged
    ├── ModelNotReadyError        there is no model for this task yet
    ├── TrainingError             training cannot go on (carries step, checkpoint)
    │   └── TrainingCancelledError  it was asked to stop
    └── EncoderBusyError          the encoder's queue is full (carries retry_after_s)
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "AccessError",
    "AuthenticationError",
    "BacklogError",
    "ConflictError",
    "EncoderBusyError",
    "FlowError",
    "GraphError",
    "GraphQueryError",
    "GraphSchemaError",
    "GraphUnavailableError",
    "HookError",
    "HookResultError",
    "HookTimeoutError",
    "HookUnavailableError",
    "InvalidInputError",
    "ModelError",
    "ModelIntegrityError",
    "ModelNotReadyError",
    "NotFoundError",
    "PayloadError",
    "PluginError",
    "PluginLoadError",
    "PluginOrderError",
    "PluginSpecError",
    "RateLimitedError",
    "RedactionError",
    "RejoinderError",
    "SettingsError",
    "StoreError",
    "StoreUnavailableError",
    "TrainingCancelledError",
    "TrainingError",
    "did_you_mean",
]


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the closest choice, or "" when none is close.

    Example:
        >>> did_you_mean("retrieve_answer", ["retrieve_answers", "start"])
        " Did you mean 'retrieve_answers'?"
    """
    close = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.6)
    return f" Did you mean {close[0]!r}?" if close else ""


class RejoinderError(Exception):
    """Root of all errors that Rejoinder raises on purpose."""


class SettingsError(RejoinderError):
    """A setting is unknown, missing or out of range; the text names the place and the choices."""


class PluginError(RejoinderError):
    """Something is wrong with a plugin.

    Attributes:
        plugin: the plugin's name, or None when it is not known yet.
        distribution: name and version of the installed distribution that it came from, or None.
    """

    def __init__(self, message: str, *, plugin: str | None = None, distribution: str | None = None) -> None:
        super().__init__(message)
        self.plugin = plugin
        self.distribution = distribution


class PluginLoadError(PluginError):
    """A plugin cannot be found or imported."""


class PluginSpecError(PluginError):
    """A plugin's hook implementations do not fit the specifications."""


class PluginOrderError(PluginError):
    """Declared orders of hook implementations contradict one another."""


class HookError(PluginError):
    """One call of one hook of one plugin failed.

    Attributes:
        hook: the hook's name.
        tenant: the tenant for which it was called, or None outside a tenant.
    """

    def __init__(self, message: str, *, plugin: str, hook: str, tenant: str | None = None) -> None:
        super().__init__(message, plugin=plugin)
        self.hook = hook
        self.tenant = tenant


class HookTimeoutError(HookError):
    """A hook did not answer within its deadline."""


class HookResultError(HookError):
    """A hook answered with the wrong type or with a value out of range."""


class HookUnavailableError(HookError):
    """A hook was not called: its circuit breaker is open or all its threads are stuck."""


class RedactionError(HookError):
    """A redactor failed; what could not be redacted must not be stored or trained on."""


class NotFoundError(RejoinderError, LookupError):
    """There is no such record in this tenant."""


class ConflictError(RejoinderError):
    """The record exists already, or has changed since it was read."""


class InvalidInputError(RejoinderError, ValueError):
    """What a caller sent cannot be used; nothing was changed."""


class FlowError(InvalidInputError):
    """Flows cannot be used.

    Attributes:
        problems: what is wrong, each with its place.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class PayloadError(InvalidInputError):
    """A value does not fit its payload type; the text names the field."""


class GraphSchemaError(InvalidInputError):
    """What is to be written to the graph does not fit its schema; nothing of it was written."""


class AccessError(RejoinderError):
    """The caller may not do this."""


class AuthenticationError(AccessError):
    """The key or token is missing, wrong, expired or revoked."""


class RateLimitedError(RejoinderError):
    """The caller asks too often; nothing was done.

    Attributes:
        retry_after_s: seconds after which a new attempt makes sense, > 0.
    """

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class BacklogError(RejoinderError):
    """Too many events of the tenant wait to be read; those of this call were not stored.

    Attributes:
        retry_after_s: seconds after which a new attempt makes sense, > 0.
    """

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class StoreError(RejoinderError):
    """The record store failed."""


class StoreUnavailableError(StoreError):
    """The record store cannot be reached; safe to retry."""


class GraphError(RejoinderError):
    """The knowledge graph failed."""


class GraphUnavailableError(GraphError):
    """The knowledge graph cannot be reached; safe to retry."""


class GraphQueryError(GraphError, ValueError):
    """Cypher was refused or is wrong, or it took longer or gave more rows than allowed."""


class ModelError(RejoinderError):
    """Something is wrong with a model."""


class ModelIntegrityError(ModelError):
    """A model file is missing or damaged."""


class ModelNotReadyError(ModelError):
    """There is no model for this task yet."""


class TrainingError(ModelError):
    """Training cannot go on.

    Attributes:
        step: optimiser steps done, or None before the first.
        checkpoint: folder of the last good checkpoint, from which `resume` goes on, or None.
    """

    def __init__(self, message: str, *, step: int | None = None, checkpoint: str | None = None) -> None:
        super().__init__(message)
        self.step = step
        self.checkpoint = checkpoint


class TrainingCancelledError(TrainingError):
    """Training was asked to stop; with `resume` it goes on."""


class EncoderBusyError(ModelError):
    """The encoder's queue is full.

    Attributes:
        retry_after_s: seconds after which a new attempt makes sense, > 0.
    """

    def __init__(self, message: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
