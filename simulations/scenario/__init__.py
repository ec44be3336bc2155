"""Scenario files: what they say, how they are checked, and what a sweep makes of them."""
