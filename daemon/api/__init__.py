"""What local programs may ask of a node: method names, and the thin functions behind them.

A method checks its arguments, calls the node and returns plain JSON: bytes as hex, moments in
milliseconds since the Unix epoch. What is asked for by name is found by name or by the beginning of
its id. Nothing here decides anything about the protocol.
"""
