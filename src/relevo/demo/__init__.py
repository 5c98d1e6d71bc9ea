"""Simulated gemini, qwen and deepseek: real HTTP on loopback, true wire formats, faults on demand.

So that a newcomer sees a fallback happen before there is any key.
"""
