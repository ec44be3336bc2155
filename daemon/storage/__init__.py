"""What a node keeps on its disk: the chain in LevelDB, votes in a log, and a home for all of it."""
