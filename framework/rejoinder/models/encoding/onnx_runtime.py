"""ONNX Runtime, told to send nothing to anybody.

Since 1.29 its wheels for Linux report sessions and models to their maker unless the environment says otherwise, and leave a file `.ses` in
the folder for temporary files. Whoever wants that sets `ORT_DISABLE_TELEMETRY=0` before Rejoinder starts.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from rejoinder.models.encoding.source import needing_models

__all__ = ["import_onnxruntime"]


def import_onnxruntime() -> Any:
    """Return the module `onnxruntime`.

    Raises:
        ModelError: it is not installed.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read when the library is loaded
    with needing_models():
        return import_module("onnxruntime")
