"""`mode = "local"`: scenarios with real daemons on this machine. Only this package knows them.

run         one run, from homes to an outcome
daemons     homes, processes and signals
namespaces  a network for each node, where the system allows it
switch      carries packets between these, late or not at all, as the links say
shaping     which links there are, and what faults do to them
faults      what goes wrong when
load        events, by their rates
findings    what the checkers find in logs and chains afterwards
"""
