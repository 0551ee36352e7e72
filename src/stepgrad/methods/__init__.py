"""The methods of `Tensor`, by family. Each is also a function of the package: ``x.exp()`` and ``stepgrad.exp(x)``."""
