"""The virtual world: one heap of things to come, one clock, one seed, and real nodes in it.

    schedule    what happens when; virtual time in milliseconds
    links       what links do to messages, and which pairs are cut apart
    network     carries messages between hosts, counts them, and keeps the trace
    host        one process: effects one by one, on a disk that forgets what was not synced
    disk        the chain, the state and the peer records that a node has durably
    core_host   a whole node (`protocol.core.Core`) on a host
    swarm       links that come up and go down
    crypto      keys that are fast and not secret
    cast        who there is: members, their keys, the genesis
    deeds       signed events
    names       the names of nodes and groups in scenarios
    world       all of it together, made of a scenario and a seed

Equal scenario and seed give equal runs, in any process: nothing here reads a clock, iterates over
a set, or draws from anything but the world's own `random`.
"""
