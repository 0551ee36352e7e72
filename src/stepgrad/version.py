"""The version of stepgrad, in one place: the build reads it from here, and so does the package."""

__version__ = "0.1.0"
# The CUDA that it was built with: none, as GPUs are reached through CuPy.
cuda = None
