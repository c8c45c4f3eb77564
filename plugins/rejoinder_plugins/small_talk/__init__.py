"""Small talk: greetings, thanks, goodbyes and questions about the bot itself, answered where a domain has nothing to say."""

from rejoinder_plugins.small_talk.plugin import SmallTalkPlugin
from rejoinder_plugins.small_talk.settings import SmallTalkSettings

__all__ = ["SmallTalkPlugin", "SmallTalkSettings", "plugin"]

plugin = SmallTalkPlugin()
