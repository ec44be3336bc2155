"""The protocol: everything Placet decides.

Pure: no IO, no clock, no randomness, no logging, no async. Values in, values out. The daemon
and the simulations run exactly this code.
"""
