"""Functions of the package: those that make tensors, and those of one or several tensors, by family."""
