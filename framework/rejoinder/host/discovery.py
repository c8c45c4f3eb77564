"""Find plugins: installed distributions by entry point, and single files in a folder."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from rejoinder.errors import PluginLoadError

ENTRY_POINT_GROUP = "rejoinder.plugins"


@dataclass(frozen=True, slots=True)
class FoundPlugin:
    """A plugin that is there, not imported yet.

    Attributes:
        distribution: name and version of what brought it, or the path of its file.
    """

    name: str
    distribution: str
    origin: EntryPoint | Path

    def load(self) -> object:
        """Import it.

        Raises:
            PluginLoadError: the import fails; the cause is chained.
        """
        try:
            return self.origin.load() if isinstance(self.origin, EntryPoint) else _import_file(self.name, self.origin)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            raise PluginLoadError(
                f"plugin {self.name!r} from {self.distribution} cannot be imported: {type(error).__name__}: {error}",
                plugin=self.name,
                distribution=self.distribution,
            ) from error


def installed_plugins() -> Iterator[FoundPlugin]:
    """Yield the plugins that installed distributions offer in the entry-point group `rejoinder.plugins`."""
    for point in entry_points(group=ENTRY_POINT_GROUP):
        distribution = f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown distribution"
        yield FoundPlugin(point.name, distribution, point)


def folder_plugins(folder: Path) -> Iterator[FoundPlugin]:
    """Yield the plugins of a folder: each `name.py`, and each sub-folder with an `__init__.py`; names with `_` first are not.

    Raises:
        PluginLoadError: there is no such folder.
    """
    if not folder.is_dir():
        raise PluginLoadError(f"there is no plugin folder {str(folder)!r}; correct `plugins.folder` in the settings")
    for path in sorted(folder.iterdir()):
        if path.name.startswith(("_", ".")):
            continue
        if path.suffix == ".py":
            yield FoundPlugin(path.stem, str(path), path)
        elif (path / "__init__.py").is_file():
            yield FoundPlugin(path.name, str(path), path / "__init__.py")


def _import_file(name: str, path: Path) -> object:
    module_name = f"rejoinder_folder_plugins.{name}"
    search = [str(path.parent)] if path.name == "__init__.py" else None
    spec = importlib.util.spec_from_file_location(module_name, path, submodule_search_locations=search)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[module_name]
        raise
    return getattr(module, "plugin", module)
