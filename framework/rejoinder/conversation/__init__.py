"""One turn, from message to reply.

    redact -> understand -> decide -> effects -> retrieve -> rank -> compose -> record

What a turn did is committed in one transaction before its reply is acknowledged (sensitive slot values, encrypted, just before
it). A plugin that fails is left out; when nothing is left, the bot apologises. While a person speaks for the bot (mode "queued" or
"agent") no hook is called.
"""

from rejoinder.conversation.conversations import Conversations, Limits
from rejoinder.conversation.pipeline import APOLOGY
from rejoinder.conversation.turn import Interjection, Turn

__all__ = ["APOLOGY", "Conversations", "Interjection", "Limits", "Turn"]
