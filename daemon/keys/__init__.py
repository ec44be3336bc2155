"""Key files of nodes and patients, and the phrases that bring them back."""
