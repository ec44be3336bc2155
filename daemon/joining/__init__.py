"""How a node comes to be and joins: home, member card, genesis, ticket, admission."""
