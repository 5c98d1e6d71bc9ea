"""Wire formats of providers, as pure codecs: bytes in, bytes out. No sockets, no clock, no logging.

A dialect knows how a request and an answer are written. It does not know whom it is talking to: what
differs between two providers of one dialect is a row of facts (`Profile`).
"""
