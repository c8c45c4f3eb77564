"""The Celery application: thin tasks that rebuild payloads and call the host."""
