"""What every evaluation says beside its figures: the versions of what it ran on, and where it is written."""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, ClassVar, Final

if TYPE_CHECKING:
    from dataclasses import Field
    from pathlib import Path

_PACKAGES: Final = ("rejoinder", "numpy", "scipy", "scikit-learn", "torch", "transformers", "peft", "tokenizers")


class EvaluationReport:
    """Base of the reports, which are frozen dataclasses of what JSON can say."""

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can say, field by field."""
        return asdict(self)

    def write(self, path: Path) -> None:
        """Write the report as JSON; the folder is made if need be."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.to_json(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def versions() -> dict[str, str]:
    """Return the versions of the packages that figures depend on."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed as a package"
    return found
