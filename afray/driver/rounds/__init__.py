"""A round after the first: what the rounds before it leave, and what of it the next selection is made of."""
