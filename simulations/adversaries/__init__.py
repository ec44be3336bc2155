"""Nodes that run something else than the honest code: each file one way to cheat, and who meets it.

traitor       what all share: an honest node inside, and a mouth of its own
kinds         the names under which scenarios ask for them
provers       who can be named afterwards, from what honest nodes were told
"""
