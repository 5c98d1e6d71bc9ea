"""relevo: a self-hosted AI gateway for application backends.

A web app calls `POST /api/ai/chat` with its user's session token; provider keys, the order of
providers, the fallback and the record live here, on the server.
"""

__version__ = "0.1.0"
