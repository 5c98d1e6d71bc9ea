"""Whom we call: rows of facts with a source and a date. Code only where behaviour differs."""
