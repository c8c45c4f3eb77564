"""Hand-off: a person takes over a conversation, answers, and gives it back."""
