"""Who is connected to whom: the dial loop, its queues, discovery, and blame."""
