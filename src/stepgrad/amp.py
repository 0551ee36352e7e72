"""Mixed precision as PyTorch's scripts ask for it: `autocast`, and `GradScaler` for float16.

stepgrad computes in the type that its tensors have, so `autocast` changes no numbers. `GradScaler` does what
it does in PyTorch: it scales losses up and gradients down, and leaves out steps that are not finite.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ContextDecorator
from typing import TYPE_CHECKING, Any

from stepgrad.arrays.devices import cuda_is_available
from stepgrad.arrays.devices import device as device_of
from stepgrad.autograd.modes import no_grad
from stepgrad.errors import ArgumentError, StateError
from stepgrad.names import teller

# For each kind of device whether an `autocast` is open, innermost last.
_open: list[tuple[str, bool]] = []


class autocast(ContextDecorator):
    """A context, or a decorator, in which PyTorch would compute partly in `dtype`. It changes no numbers.

    `device_type` ("cpu", "cuda"), `dtype`, `enabled`, `cache_enabled` are PyTorch's.

    >>> import stepgrad as sg
    >>> with autocast("cpu", dtype=sg.bfloat16):
    ...     sg.ones(2, 2).mm(sg.ones(2, 2)).dtype, is_autocast_enabled("cpu")
    (stepgrad.float32, True)
    """

    def __init__(
        self, device_type: str, dtype: Any = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> None:
        del dtype, cache_enabled
        self._state = (device_of(device_type).type, bool(enabled))

    def __enter__(self) -> autocast:
        _open.append(self._state)
        return self

    def __exit__(self, *_: object) -> None:
        _open.pop()


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Return whether an `autocast` for this kind of device is open.

    >>> import stepgrad as sg
    >>> is_autocast_enabled()
    False
    """
    return next((enabled for kind, enabled in reversed(_open) if kind == device_type), False)


class GradScaler:
    """Scales losses, so that small gradients do not vanish in float16, and gradients back (Micikevicius et
    al., "Mixed precision training", 2018).

    A step whose gradients are not all finite is left out, and the scale becomes `backoff_factor` times what
    it was; after `growth_interval` steps in a row it grows by `growth_factor`. As in PyTorch, one for a
    `device` "cuda" that is not there is not `enabled`, and hands everything through.

    >>> import stepgrad as sg
    >>> w = sg.ones(1, requires_grad=True)
    >>> optimizer, scaler = sg.optim.SGD([w], lr=0.25), GradScaler("cpu")
    >>> scaler.scale((2 * w).sum()).backward()
    >>> scaler.step(optimizer)
    >>> scaler.update()
    >>> w.detach(), scaler.get_scale()
    (tensor([0.5000]), 65536.0)
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        if not growth_factor > 1 or not 0 < backoff_factor < 1:
            raise ArgumentError(
                f"GradScaler needs a growth_factor above 1 and a backoff_factor between 0 and 1, not "
                f"{growth_factor} and {backoff_factor}."
            )
        kind = device_of(device).type
        self._enabled = enabled and (kind != "cuda" or cuda_is_available())
        self._scale, self._steps = float(init_scale), 0
        self._growth_factor, self._backoff_factor = growth_factor, backoff_factor
        self._growth_interval = growth_interval
        # Of optimizers whose gradients have been scaled back since the last update: whether they are finite,
        # and of those that have stepped.
        self._finite: dict[int, bool] = {}
        self._stepped: set[int] = set()

    def scale(self, outputs: Any) -> Any:
        """Return a tensor, or the tensors in a tuple or list, times the scale."""
        if not self._enabled:
            return outputs
        if isinstance(outputs, (tuple, list)):
            return type(outputs)(self.scale(x) for x in outputs)
        return outputs * self._scale

    def unscale_(self, optimizer: Any) -> None:
        """Divide the gradients of an optimizer's parameters by the scale, for example to clip them.

        Raises `StateError` when called twice before `update`, or after `step`.
        """
        if not self._enabled:
            return
        if id(optimizer) in self._stepped:
            raise StateError("unscale_() comes before step(), and after step() an update().")
        if id(optimizer) in self._finite:
            raise StateError("unscale_() has been called for this optimizer since the last update().")
        finite = True
        with no_grad():
            for group in optimizer.param_groups:
                for p in group["params"]:
                    if p.grad is not None:
                        p.grad.mul_(1 / self._scale)
                        # Asked of the tensor, since its array would let a compiled step keep one answer.
                        finite = finite and bool(p.grad.isfinite().all())
        self._finite[id(optimizer)] = finite

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """Scale the gradients back, unless `unscale_` has done so, and step if they are all finite; return
        what ``optimizer.step(*args, **kwargs)`` returns, or None.

        Raises `ArgumentError` for a closure, `StateError` for a second step before `update`.
        """
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise ArgumentError("step(optimizer) of a GradScaler takes no closure.")
        if id(optimizer) in self._stepped:
            raise StateError("step() has been called for this optimizer since the last update().")
        if id(optimizer) not in self._finite:
            self.unscale_(optimizer)
        self._stepped.add(id(optimizer))
        return optimizer.step(*args, **kwargs) if self._finite[id(optimizer)] else None

    def update(self, new_scale: Any = None) -> None:
        """Make the scale smaller after a step that was left out, larger after many that were not, or
        `new_scale`.

        Raises `StateError` if there was no `step` or `unscale_` since the last time.
        """
        if not self._enabled:
            return
        if new_scale is not None:
            self._scale = float(new_scale)
        elif not self._finite:
            raise StateError("update() comes after step().")
        elif not all(self._finite.values()):
            self._scale, self._steps = self._scale * self._backoff_factor, 0
        else:
            self._steps += 1
            if self._steps == self._growth_interval:
                self._scale, self._steps = self._scale * self._growth_factor, 0
        self._finite, self._stepped = {}, set()

    def get_scale(self) -> float:
        """Return the scale; 1 if it is not enabled."""
        return self._scale if self._enabled else 1.0

    def is_enabled(self) -> bool:
        """Return whether it scales."""
        return self._enabled

    def get_growth_factor(self) -> float:
        """Return by what the scale grows."""
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        """Set by what the scale grows."""
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        """Return by what the scale shrinks."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        """Set by what the scale shrinks."""
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        """Return after how many steps in a row the scale grows."""
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        """Set after how many steps in a row the scale grows."""
        self._growth_interval = new_interval

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` takes; empty if it is not enabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self._scale,
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._steps,
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over a state. Raises `ArgumentError` for the empty one of a scaler that was not enabled."""
        if not self._enabled:
            return
        if not state_dict:
            raise ArgumentError("this state is of a GradScaler that was not enabled.")
        self._scale, self._steps = float(state_dict["scale"]), int(state_dict["_growth_tracker"])
        self._growth_factor = state_dict["growth_factor"]
        self._backoff_factor = state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]


if not TYPE_CHECKING:
    __getattr__ = teller(__name__, globals())
