"""Handlers: coroutines that speak the API of an endpoint, where posting the event is not enough.

They are yours to change: `gateway init` copies them beside your routes file, and a running gateway
takes edits over at once. docs/handlers.md says what they may do.
"""
