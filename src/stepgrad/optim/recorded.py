"""A rule run on Tensors while a graph is recorded, so that the update is part of it: operations, and what
they write where.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stepgrad.autograd.engine import TENSORS, state
from stepgrad.autograd.modes import no_grad
from stepgrad.optim.plan import complete_state, names_of
from stepgrad.tensor import Tensor

if TYPE_CHECKING:
    from stepgrad.optim.optimizer import Optimizer


def recorded_step(optimizer: Optimizer, group: dict[str, Any], numbers: dict[str, Any]) -> None:
    """Take the step of one group by operations on Tensors. `numbers` are the hyperparameters that change from
    step to step, as 0-d tensors.
    """
    hyperparameters = optimizer.hyperparameters(group)
    start = optimizer.start(**hyperparameters)
    hyperparameters |= {name: value for name, value in numbers.items() if name in hyperparameters}
    outer, state.phase = state.phase, "update"
    try:
        with no_grad():
            counts: dict[float, Tensor] = {}
            alike: dict[float, list[Tensor]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    own = optimizer.state[parameter]
                    _complete_unrecorded(own, parameter, start, optimizer)
                    step = _counted(own, counts, alike) if "step" in start else None
                    _update(optimizer, parameter, own, step, hyperparameters)
            if state.recorder is not None:
                state.recorder.alike += [(optimizer, same) for same in alike.values() if len(same) > 1]
    finally:
        state.phase = outer


def _complete_unrecorded(
    own: dict[str, Any], parameter: Any, start: dict[str, float], optimizer: Optimizer
) -> None:
    """Make the first state of a parameter; this happens once and is not part of the step."""
    recorder, state.recorder = state.recorder, None
    try:
        complete_state(own, parameter, start, optimizer.elementwise, optimizer.scalars)
    finally:
        state.recorder = recorder


def _counted(own: dict[str, Any], counts: dict[float, Tensor], alike: dict[float, list[Tensor]]) -> Tensor:
    """Return the number of this step as a tensor, the same one for all parameters that have taken as many;
    put the counts that are `alike` together.
    """
    before = float(own["step"]._array)
    alike.setdefault(before, []).append(own["step"])
    if before not in counts:
        counts[before] = own["step"] + 1
    own["step"]._become(counts[before])
    return counts[before]


def _update(
    optimizer: Optimizer, parameter: Any, own: dict[str, Any], step: Any, hyperparameters: Any
) -> None:
    known = {name: own[name] for name in names_of(own)}
    assert optimizer.update is not None
    new_parameter, new_state = optimizer.update(
        TENSORS, parameter, parameter.grad, known, step, **hyperparameters
    )
    for name, value in new_state.items():
        if name in own:
            own[name]._become(value)
        else:
            own[name] = Tensor._of(value._array.copy())
            # From the next step on the rule finds this state, so it will do something else.
            assert state.recorder is not None
            state.recorder.made_state(own[name], value)
    parameter._become(new_parameter)
