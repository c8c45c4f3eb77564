"""Alert webhook: posts alerts, signed, to the tenant's own system, as a plugin."""

from rejoinder_plugins.alert_webhook.plugin import AlertWebhookPlugin
from rejoinder_plugins.alert_webhook.settings import AlertWebhookSettings

__all__ = ["AlertWebhookPlugin", "AlertWebhookSettings", "plugin"]

plugin = AlertWebhookPlugin()
