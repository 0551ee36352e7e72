"""The methods of `Tensor`, by family; each is also a function: ``x.exp()`` and ``stepgrad.exp(x)``."""
