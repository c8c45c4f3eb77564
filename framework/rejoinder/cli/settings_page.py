"""The page `docs/settings.md`, made from the settings models so that it cannot lie."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, to_jsonable_python

from rejoinder.events.settings import SECTION as EVENTS
from rejoinder.events.settings import TenantEventSettings
from rejoinder.fields import describe_field, keys_of, unit_of
from rejoinder.handoff.settings import SECTION as HELP_DESK
from rejoinder.handoff.settings import HelpDeskSettings
from rejoinder.learning.tenant_gate import SECTION as GATE
from rejoinder.privacy.settings import SECTION, PrivacySettings
from rejoinder.settings import NOT_SETTINGS, DeploymentSettings, variable_of
from rejoinder.wording import SECTION as WORDING
from rejoinder.wording import WordingSettings

__all__ = ["difference", "settings_page"]

_INTRODUCTION = """\
# Settings

<!-- Made by `rejoinder settings docs` from the settings models; edit those. `make check` compares. -->

## Where settings come from

A deployment's settings come from three layers; a later one wins, key by key:

1. the defaults on this page;
2. `rejoinder.toml` in the working directory, or the file that `REJOINDER_CONFIG` names;
3. environment variables: `server.port` is `REJOINDER_SERVER__PORT`. An empty variable counts as unset; lists may be written `a,b`.

A tenant's settings are those of its plugins, and the host's own tables `[privacy]`, `[help_desk]` and `[gate]`, and come from four layers:

1. the defaults on this page, or the plugin's;
2. the tables `[tenant_defaults.<plugin>]` of `rejoinder.toml`;
3. `tenants/<tenant>.toml` next to `rejoinder.toml`, with a table `[<plugin>]` for each plugin;
4. what is stored with the tenant: `rejoinder tenant set <tenant> <plugin>.<key> VALUE`, or the API.

The environment never overrides a tenant. Unknown keys and variables are refused. `rejoinder settings explain` tells where each
value came from, `rejoinder settings check` looks at everything, and `--tenant <tenant>` shows a tenant's. Secrets are masked
everywhere, and encrypted where they are stored with a tenant.
"""

_TABLE = "| Setting | Type | Default | Unit | {extra}Meaning |\n|---|---|---|---|{rule}---|"


def settings_page(plugins: Mapping[str, type[BaseModel]]) -> str:
    """Return the page: the deployment's settings, section by section, and those of these plugins."""
    parts = [_INTRODUCTION, "## Deployment\n"]
    fields = list(keys_of(DeploymentSettings))
    own = [(path, info) for path, info in fields if len(path) == 1]
    parts.append(_table(own, variables=True))
    for name, section in DeploymentSettings.model_fields.items():
        inner = [(path, info) for path, info in fields if path[0] == name and len(path) > 1]
        if inner:
            parts.append(f"### `[{name}]`\n\n{section.description}\n")
            parts.append(_table(inner, variables=True))
    others = ", ".join(f"`{name}`" for name in sorted(NOT_SETTINGS))
    parts.append(f"These variables are no settings, and are left alone: {others}.\n")
    parts.append("## Tenants\n")
    parts.append("What the host itself asks each tenant, beside its plugins.\n")
    parts.append(f"### `[{SECTION}]`\n\n{PrivacySettings.__doc__}\n")
    parts.append(_table([((SECTION, *path), info) for path, info in keys_of(PrivacySettings)], variables=False))
    parts.append(f"### `[{HELP_DESK}]`\n\n{HelpDeskSettings.__doc__}\n")
    parts.append(_table([((HELP_DESK, *path), info) for path, info in keys_of(HelpDeskSettings)], variables=False))
    parts.append(f"### `[{EVENTS}]`\n\n{TenantEventSettings.__doc__}\n")
    parts.append(_table([((EVENTS, *path), info) for path, info in keys_of(TenantEventSettings)], variables=False))
    parts.append(f"### `[{WORDING}]`\n\n{WordingSettings.__doc__}\n")
    parts.append(_table([((WORDING, *path), info) for path, info in keys_of(WordingSettings)], variables=False))
    parts.append(
        f"### `[{GATE}]`\n\nThe keys of the deployment's `[gate]`, whose values are the defaults and the bounds: a tenant may be more "
        "careful than the deployment, never less.\n"
    )
    parts.append("## Plugins\n")
    parts.append("Settings of the plugins that come with Rejoinder; each tenant has its own.\n")
    for name, model in sorted(plugins.items()):
        parts.append(f"### `[{name}]`\n")
        summary = (model.__doc__ or "").strip().partition("\n\n")[0]
        if summary:
            parts.append(f"{' '.join(summary.split())}\n")
        inner = [((name, *path), info) for path, info in keys_of(model)]
        parts.append(_table(inner, variables=False) if inner else "It has no settings.\n")
    return "\n".join(parts)


def _table(fields: Iterable[tuple[tuple[str, ...], FieldInfo]], *, variables: bool) -> str:
    lines = [_TABLE.format(extra="Variable | " if variables else "", rule="---|" if variables else "")]
    for path, info in fields:
        cells = [f"`{'.'.join(path)}`", describe_field(info), _default(info), unit_of(path[-1])]
        if variables:
            cells.append(f"`{variable_of(path)}`")
        cells.append(info.description or "")
        lines.append("| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    default: Any = info.get_default(call_default_factory=True, validated_data={})
    if default is None or default is PydanticUndefined:
        return "unset"
    return f"`{json.dumps(to_jsonable_python(default, fallback=str), ensure_ascii=False)}`"


def difference(old: str, new: str) -> str:
    """Say in one line where two pages first differ."""
    was, will = old.splitlines(), new.splitlines()
    for number, (before, after) in enumerate(zip(was, will, strict=False), start=1):
        if before != after:
            return f"line {number} is {_short(before)}, expected {_short(after)}"
    return f"it has {len(was)} lines, expected {len(will)}"


def _short(line: str) -> str:
    return repr(line if len(line) <= 100 else f"{line[:97]}...")
