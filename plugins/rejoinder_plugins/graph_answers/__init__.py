"""Graph answers: questions answered from the tenant's knowledge graph, with the path as the source, as a plugin."""

from rejoinder_plugins.graph_answers.plugin import GraphAnswersPlugin
from rejoinder_plugins.graph_answers.settings import GraphAnswersSettings

__all__ = ["GraphAnswersPlugin", "GraphAnswersSettings", "plugin"]

plugin = GraphAnswersPlugin()
