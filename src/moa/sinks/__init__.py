"""Listeners: what is told of runs to the world outside. A sink must not block."""
