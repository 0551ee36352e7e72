"""What PyTorch's users ask and set of the machinery below; here it is NumPy, native code and CuPy.

`mps.is_available()` is False: Apple's GPUs are not used. The switches of `cudnn` can be set and change
nothing: stepgrad's results are the same every time as they are.
"""

from __future__ import annotations

from types import SimpleNamespace

mps = SimpleNamespace(is_available=lambda: False, is_built=lambda: False)
cudnn = SimpleNamespace(
    enabled=False, benchmark=False, deterministic=True, is_available=lambda: False, version=lambda: None
)
