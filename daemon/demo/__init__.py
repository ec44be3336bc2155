"""The demonstration: six organisations on one machine, from the first block to the last check."""
