"""Matrix products: how each is computed, by vectors or by AMX, and its code."""
