"""What operators tail: one line for each thing that matters, and nothing about a patient."""
