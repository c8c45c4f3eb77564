"""Customer service for Rejoinder: catalogues of questions and answers, retrieval over them, and examples to start from."""

from rejoinder_customer_service.plugin import CustomerServicePlugin
from rejoinder_customer_service.settings import CustomerServiceSettings

__all__ = ["CustomerServicePlugin", "CustomerServiceSettings", "plugin"]

plugin = CustomerServicePlugin()
