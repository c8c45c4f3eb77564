"""The doors: HTTP and WebSocket.

    a request -> [CORS] -> Failures -> AccessGuard -> BodyLimit -> route -> the application

`create_app` builds the ASGI application, `rejoinder.serving.server.serve` runs it. `docs/api.md` tells callers how to use it.
"""
