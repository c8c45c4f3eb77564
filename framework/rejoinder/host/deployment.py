"""The host of a deployment, by its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rejoinder.host.host import Host

if TYPE_CHECKING:
    from rejoinder.settings import DeploymentSettings


def load_host(settings: DeploymentSettings, *, tolerant: bool = False) -> Host:
    """Load the plugins of a deployment.

    Args:
        tolerant: leave out plugins that do not fit, and keep why in `failures`, instead of raising.
    Raises:
        PluginError: a plugin does not fit.
    """
    return Host.load(
        folder=settings.plugins.folder,
        disabled=settings.plugins.disabled,
        tolerant=tolerant,
        deadlines_s=settings.hooks.deadline_s,
        breaker_failures=settings.hooks.breaker_failures,
        breaker_reset_s=settings.hooks.breaker_reset_s,
    )
