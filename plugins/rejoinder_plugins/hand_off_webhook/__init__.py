"""Hand-off webhook: tells the tenant's own system that a person is wanted, as a plugin."""

from rejoinder_plugins.hand_off_webhook.plugin import HandOffWebhookPlugin
from rejoinder_plugins.hand_off_webhook.settings import HandOffWebhookSettings

__all__ = ["HandOffWebhookPlugin", "HandOffWebhookSettings", "plugin"]

plugin = HandOffWebhookPlugin()
