"""The program of a step: typed values, and how operations are stated by a few kinds of them."""
