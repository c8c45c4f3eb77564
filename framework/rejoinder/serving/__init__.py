"""The doors: HTTP and WebSocket.

    a request -> Failures -> [CORS] -> BodyLimit -> Access -> route -> the application

`create_app` builds the ASGI application, `rejoinder.serving.server.serve` runs it. `docs/api.md` tells callers how to use it.
"""
