"""Where runs are carried out: in this process, in others here, or on a cluster.

All engines take tasks and give outcomes in any order; the same task gives the same outcome on each.
"""
