"""Hand-off rules: messages that a tenant wants people to answer, by intent, words, slots and hours, as a plugin."""

from rejoinder_plugins.hand_off_rules.plugin import HandOffRulesPlugin
from rejoinder_plugins.hand_off_rules.settings import HandOffRule, HandOffRulesSettings

__all__ = ["HandOffRule", "HandOffRulesPlugin", "HandOffRulesSettings", "plugin"]

plugin = HandOffRulesPlugin()
