"""Measurements, as ratios in one run: against the bare libraries, or the gateway without a disturbance.

docs/speed.md says what each scenario measures, and how to read it.
"""
