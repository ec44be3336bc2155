"""What must hold in every run, looked at while it goes on and at its end. Each file is a family.

    watch       what all checkers share: the world, and where they report
    agreement   one chain, each block on its parent, one state, no event twice, no idle blocks
    votes       no vote contradicts another, and none leaves before it is durable
    certificates  at most one outcome of a view, each of a true quorum
    epochs      nobody votes too early or too late; each handoff ends
    evidence    only those are accused, blamed or halted who deserve it
    bounds      memory and timers
    ledger      the chain, judged by a ledger that is naive on purpose
    replay      the chain, executed again from the genesis
    withdrawals a withdrawal counts on sight, and for ever
    liveness    everything is settled after the faults, everywhere, and then it is quiet
    budget      how many bytes a node may send
    canaries    nothing about a patient leaves a node

A checker is a class that is made with a `Watch` and hooks itself in. It may have `look`, called
now and then, and `at_end`. The names in `Violation.checker` are the classes' names. Properties
I1 to I20 and E1 to E5 are those of the protocol's list of invariants.
"""
