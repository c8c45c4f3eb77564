"""Alert e-mail: sends alerts by SMTP, as a plugin."""

from rejoinder_plugins.alert_email.plugin import AlertEmailPlugin
from rejoinder_plugins.alert_email.settings import AlertEmailSettings

__all__ = ["AlertEmailPlugin", "AlertEmailSettings", "plugin"]

plugin = AlertEmailPlugin()
