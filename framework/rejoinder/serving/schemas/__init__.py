"""What goes in and out over HTTP and the socket: a module for each module of `routes`.

Requests are checked strictly: unknown fields are refused, "3" is no 3. Responses document; see `responses.py`.
"""
