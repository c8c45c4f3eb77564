"""Finance sentiment for Rejoinder: so far, a streaming detector of surges in counts and shares, and its evaluation."""

from rejoinder_finance_sentiment.plugin import FinanceSentimentPlugin

__all__ = ["FinanceSentimentPlugin", "plugin"]

plugin = FinanceSentimentPlugin()
