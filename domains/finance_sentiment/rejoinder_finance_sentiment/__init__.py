"""Finance sentiment for Rejoinder: companies, their sentiment and topics read from texts, and a streaming detector of surges."""

from rejoinder_finance_sentiment.plugin import FinanceSentimentPlugin

__all__ = ["FinanceSentimentPlugin", "plugin"]

plugin = FinanceSentimentPlugin()
