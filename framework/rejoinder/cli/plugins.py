"""`rejoinder plugins`: list, check, new, docs."""

from __future__ import annotations

import sys
import tomllib
from collections import Counter
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rejoinder.cli.output import JsonOption, say, show_table
from rejoinder.errors import NotFoundError, PluginError, PluginLoadError, SettingsError, did_you_mean

if TYPE_CHECKING:
    from rejoinder.host import Host
    from rejoinder.host.discovery import FoundPlugin
    from rejoinder.host.implementations import Implementation
    from rejoinder.settings import DeploymentSettings
    from rejoinder.testing import CheckResult

__all__ = ["app"]

app = typer.Typer(help="Plugins: list them, check one, start a new one.", invoke_without_command=True)


@app.callback()
def _default(context: typer.Context, json: JsonOption = False) -> None:
    """Plugins: list them, check one, start a new one."""
    if context.invoked_subcommand is None:
        list_plugins(json=json)


@app.command("list")
def list_plugins(json: JsonOption = False) -> None:
    """List the plugins that are there, which cannot be used, and who is called for each hook, in which order and why."""
    from rejoinder.cli.runtime import load_host
    from rejoinder.settings import load_settings

    settings = load_settings().settings
    host = load_host(settings, tolerant=True)
    plugins, order = _plugin_records(host, settings), _order_records(list(host.order()))
    if json:
        say("", json=True, data={"plugins": plugins, "order": order})
        return
    broken = ("problem",) if any(record["problem"] for record in plugins) else ()
    columns = ("plugin", "distribution", "version", "state", *broken)
    show_table(plugins, columns, json=False, title="Plugins", empty="No plugin is installed.")
    if order:
        title = "Who is called for each hook, in this order"
        show_table(order, ("hook", "place", "plugin", "why", "kind"), json=False, title=title)


def _plugin_records(host: Host, settings: DeploymentSettings) -> list[dict[str, Any]]:
    problems = {failure.plugin: failure for failure in host.failures}
    used = {plugin.name: plugin for plugin in host.plugins}
    records: list[dict[str, Any]] = []
    for one in _found(settings.plugins.folder):
        distribution, version = _split(one)
        hooks: list[str] = []
        state, problem = "on", None
        if one.name in settings.plugins.disabled:
            state = "off"
        elif one.name in used and used[one.name].distribution == one.distribution:
            hooks = [found.spec.name for found in used[one.name].implementations]
        else:
            state, problem = "refused", str(problems.get(one.name, "its name is taken"))
        records.append(
            {
                "plugin": one.name,
                "distribution": distribution,
                "version": version,
                "state": state,
                "hooks": hooks,
                "problem": problem,
            }
        )
    return records


@app.command()
def check(
    target: Annotated[
        str | None, typer.Argument(help="A plugin's name, its file or folder; without one, all that are installed.")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show every check, and why some were skipped.")] = False,
    json: JsonOption = False,
) -> None:
    """Run the contract checks of `rejoinder.testing` on plugins; exit with 1 when one fails."""
    from rejoinder.testing import run_checks

    results: dict[str, list[CheckResult]] = {}
    for one in _targets(target):
        try:
            results[one.name] = run_checks(one.load(), name=one.name)
        except PluginLoadError as error:
            results[one.name] = [_load_failure(error)]
    failed = sum(one.outcome == "failed" for checks in results.values() for one in checks)
    if json:
        plugins = [
            {"plugin": name, "ok": _ok(checks), "checks": [_check_record(one) for one in checks]}
            for name, checks in results.items()
        ]
        say("", json=True, data={"ok": not failed, "plugins": plugins})
    else:
        for name, checks in results.items():
            _tell(name, checks, verbose=verbose)
    if failed:
        raise typer.Exit(1)


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="The plugin's name: small letters, digits and _, e.g. opening_hours.")],
    domain: Annotated[
        bool, typer.Option("--domain", help="Start a domain: intents with titles, examples, answers.")
    ] = False,
    into: Annotated[
        Path, typer.Option("--into", help="Folder in which the new folder is made.", metavar="DIR")
    ] = Path(),
    json: JsonOption = False,
) -> None:
    """Start a new plugin: an installable distribution with a plugin, tests and a README."""
    from rejoinder.cli.plugin_project import create_project

    folder = create_project(name, into, domain=domain)
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    text = f"Made {folder}. Next:\n  pip install -e {folder}\n  pytest {folder}\n  rejoinder plugins check {name}"
    say(text, json=json, data={"plugin": name, "folder": str(folder), "files": files})


@app.command()
def docs(
    output: Annotated[Path, typer.Option("--output", help="The page.", metavar="FILE")] = Path("docs/hooks.md"),
    compare: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail when the page is not up to date.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Write the reference part of the page of hooks, made from the specifications; or compare it with them."""
    from rejoinder.cli.hooks_page import with_reference

    old = output.read_text(encoding="utf-8")
    page = with_reference(old, (output.parent / "examples" / "every_hook.py").read_text(encoding="utf-8"))
    if compare and page != old:
        raise SettingsError(f"{output} is not up to date; run: rejoinder plugins docs")
    if not compare:
        output.write_text(page, encoding="utf-8")
    say(f"{output} is up to date.", json=json, data={"path": str(output), "changed": page != old})


def _found(folder: Path | None) -> list[FoundPlugin]:
    from rejoinder.host.discovery import folder_plugins, installed_plugins

    found = [*installed_plugins(), *(folder_plugins(folder) if folder is not None else ())]
    return sorted(found, key=lambda one: (one.name, one.distribution))


def _split(one: FoundPlugin) -> tuple[str, str | None]:
    if isinstance(one.origin, Path):
        return one.distribution, None
    name, _, version = one.distribution.rpartition(" ")
    return name, version


def _order_records(order: list[tuple[str, Implementation]]) -> list[dict[str, Any]]:
    places: Counter[str] = Counter()
    records: list[dict[str, Any]] = []
    for hook, one in order:
        places[hook] += 1
        records.append({"hook": hook, "place": places[hook], "plugin": one.plugin, "why": _why(one), "kind": one.kind})
    return records


def _why(one: Implementation) -> str:
    order = one.order
    reasons = [name for name, declared in (("tryfirst", order.tryfirst), ("trylast", order.trylast)) if declared]
    reasons.extend(f"before {name}" for name in order.before)
    reasons.extend(f"after {name}" for name in order.after)
    return ", ".join(reasons) or "by name"


def _targets(target: str | None) -> list[FoundPlugin]:
    """Return the plugins that a name or path stands for.

    Raises:
        NotFoundError: there is no such plugin, file or folder.
    """
    from rejoinder.settings import load_settings

    path = Path(target) if target is not None else None
    if path is not None and path.exists():
        return _plugins_at(path.resolve())
    found = _found(load_settings().settings.plugins.folder)
    if target is None:
        return found
    named = [one for one in found if one.name == target]
    if not named:
        hint = did_you_mean(target, [one.name for one in found])
        raise NotFoundError(f"there is no plugin, file or folder {target!r}.{hint} See `rejoinder plugins`")
    return named


def _plugins_at(path: Path) -> list[FoundPlugin]:
    from rejoinder.host.discovery import ENTRY_POINT_GROUP, FoundPlugin, folder_plugins

    if path.is_file():
        return [FoundPlugin(path.stem, str(path), path)]
    if (path / "__init__.py").is_file():
        return [FoundPlugin(path.name, str(path), path / "__init__.py")]
    project = path / "pyproject.toml"
    if not project.is_file():
        return list(folder_plugins(path))
    points = tomllib.loads(project.read_text(encoding="utf-8")).get("project", {}).get("entry-points", {})
    if not points.get(ENTRY_POINT_GROUP):
        raise NotFoundError(f'{project} names no plugin: add [project.entry-points."{ENTRY_POINT_GROUP}"]')
    sys.path.insert(0, str(path))
    return [
        FoundPlugin(name, str(path), EntryPoint(name, value, ENTRY_POINT_GROUP))
        for name, value in sorted(points[ENTRY_POINT_GROUP].items())
    ]


def _load_failure(error: PluginError) -> CheckResult:
    from rejoinder.testing import CheckResult

    return CheckResult("can be imported", None, "failed", str(error))


def _tell(name: str, checks: list[CheckResult], *, verbose: bool) -> None:
    for one in checks:
        if verbose or one.outcome == "failed":
            typer.echo(f"{name}: {one}", err=one.outcome == "failed")
    counts = Counter(one.outcome for one in checks)
    typer.echo(f"{name}: {counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")


def _ok(checks: list[CheckResult]) -> bool:
    return all(one.outcome != "failed" for one in checks)


def _check_record(one: CheckResult) -> dict[str, Any]:
    return {"check": one.check, "hook": one.hook, "outcome": one.outcome, "detail": one.detail}
