"""Measurements, as ratios against the bare libraries in the same run.

The gateway, and each bare library, runs as a process of its own on one core; the load and the
receivers run on the other. `python -m bench` runs every scenario, `python -m bench ingest` one.
"""
