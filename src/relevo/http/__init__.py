"""The HTTP edge: ASGI, bodies, errors, CORS. Talks to `service` and `auth`; knows no store and no provider."""
