"""`placet sim`: run scenarios, and look at what came of them.

`placet` finds the group by its name and imports nothing else of the simulator. Commands import what
they need when they are called, so that `--help` answers at once.
"""
