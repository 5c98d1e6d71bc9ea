"""Moves an app to relevo: reads its JavaScript, TypeScript and hosting files, and plans every change as bytes.

Nothing here writes before the whole plan stands; what cannot be proved is left alone and named.
"""
