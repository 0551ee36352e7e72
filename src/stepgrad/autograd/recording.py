"""Recording: within ``with record() as nodes:`` every operation of the thread goes to the list `nodes`."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stepgrad.autograd import engine
from stepgrad.autograd.engine import state
from stepgrad.errors import CaptureError
from stepgrad.graph import Node


@dataclass(frozen=True)
class Effect:
    """Something that a step does in Python, such as a schedule's step, and that must be done in every run.

    * `repeat`: does it. `remember`: returns a function that puts back what is there now.
    * `undo`: puts back what was there before the recorded run. `after`: how many of the recording's `numbers`
      had been asked for then.
    """

    repeat: Callable[[], Any]
    remember: Callable[[], Callable[[], None]]
    undo: Callable[[], None]
    after: int


class Recording(list[Node]):
    """The nodes recorded so far, in order, and what else happened meanwhile.

    * `writes`: (tensor, node) for each result that was stored in a tensor's memory.
    * `modules`: the modules that were called, each with its mode (training or not).
    * `numbers`: (tensor, function) for each 0-d tensor that stands for a Python number and the function that
      returns it.
    * `effects`: what the step did besides operations and must do in each further run (see `Effect`).
    * `before`: (tensor, array) for each tensor that was written to, with what it held before (with
      `values_hidden`).
    * `places`: for each write how many nodes had been recorded, and which node had made what was there.
    * `renamed`: for each write whether the tensor has the history of the result from then on.
    * `constants`: tensors that were made of numbers meanwhile. `arguments`: the ids of those handed in.
    * `added_to`: gradients from before to which more was added.
    * `alike`: (optimizer, counts) for counts of steps that were the same, so that one stands for all.
    * `read`: (tensor, array) for each other tensor whose value was asked for (with `values_hidden`).
    * `rates`: the same for those that are asked for in every step, as one of `numbers`.
    * `ends`: the nodes from which a backward has gone that kept no graph.
    * `clears_gradients`: whether it called zero_grad.
    * `is_first`: whether the step made state that a further one finds, so that the further one will differ.
    * `looks_for_nan`: whether derivatives were to be looked at (with `values_hidden`).
    * `values_hidden`: whether the values of results must not be looked at, since the step will run with
      others.
    """

    def __init__(self, values_hidden: bool = False) -> None:
        super().__init__()
        self.writes: list[tuple[Any, Node]] = []
        self.modules: list[tuple[Any, bool]] = []
        self.numbers: list[tuple[Any, Callable[[], float]]] = []
        self.effects: list[Effect] = []
        self.before: dict[int, tuple[Any, Any]] = {}
        self.places: list[tuple[int, Node | None]] = []
        self.renamed: list[bool] = []
        self.constants: dict[int, Any] = {}
        self.arguments: set[int] = set()
        self.read: list[tuple[Any, Any]] = []
        self.rates: list[tuple[Any, Any]] = []
        self.added_to: list[Any] = []
        self.ends: list[Node] = []
        self.alike: list[tuple[Any, list[Any]]] = []
        self._results: list[weakref.ref[Any]] = []
        self.is_first = self.looks_for_nan = self.clears_gradients = False
        self.values_hidden = values_hidden

    def add(self, node: Node, result: Any) -> None:
        """Add a node, and the tensor that it made."""
        self.append(node)
        if self.values_hidden:
            self._results.append(weakref.ref(result))

    def made_state(self, tensor: Any, result: Any) -> None:
        """Note that the step made `tensor`, which holds `result`, for a further one to find."""
        self.is_first = True

    def put_before(self, node: Node, earlier: Node) -> None:
        """Put the node that was added last before another one, as if it had been computed first."""
        self.insert(self.index(node), self.pop())
        earlier.order = node.order - 1

    def held(self, node: Node, array: Any) -> Any:
        """Return what a node that is about to be added keeps of its result: here the array."""
        return array

    def kept(self) -> list[Any]:
        """Return the tensors made meanwhile that something outside still holds."""
        return [tensor for ref in self._results if (tensor := ref()) is not None]

    def about_to_write(self, tensor: Any) -> None:
        """Keep what a tensor holds before it is written to for the first time."""
        self.places.append((len(self), tensor._node))
        found = self._found(tensor) if self.values_hidden else None
        if found is not None and id(found) not in self.before:
            self.before[id(found)] = (found, found._array.copy())

    def wrote(self, tensor: Any, node: Node, renamed: bool) -> None:
        """Note that the result of a node is being stored in a tensor's memory, and in its history if
        `renamed`.
        """
        self.renamed.append(renamed)
        # What the step itself made is not held on to, so that `kept` finds what others hold.
        forget = self.values_hidden and self._made(tensor)
        self.writes.append((engine.Tensor._of(tensor._array) if forget else tensor, node))

    def _found(self, tensor: Any) -> Any:
        """Return the tensor from before whose memory this one lies in: itself, or what it is a view of."""
        if not self._made(tensor):
            return tensor
        node = tensor._node
        while isinstance(node, Node) and node.op.is_view:
            node = node.inputs[0]
        return None if isinstance(node, Node) else node

    def _made(self, tensor: Any) -> bool:
        """Return whether what a tensor holds was computed meanwhile."""
        return bool(self) and tensor._node is not None and tensor._node.order >= self[0].order

    def undo(self) -> None:
        """Give every tensor that was written to what it held before, and undo the effects."""
        for effect in reversed(self.effects):
            effect.undo()
        # Backwards, since two tensors may share memory.
        for tensor, array in reversed(self.before.values()):
            tensor._array[...] = array


def hides_values() -> bool:
    """Return whether a step is captured now, which will run with other values."""
    return state.recorder is not None and state.recorder.values_hidden


def perform(action: Callable[[], Any], remember: Callable[[], Callable[[], None]]) -> None:
    """Do `action`, which changes Python values that a step reads as `numbers`, while a step is captured.

    It is noted as an effect. `remember` returns a function that puts back what is there when it is called.
    """
    recorder = state.recorder
    assert recorder is not None
    recorder.effects.append(Effect(action, remember, remember(), len(recorder.numbers)))
    # What an effect does within itself is a part of it.
    state.recorder = None
    try:
        action()
    finally:
        state.recorder = recorder


def check_readable(tensor: Any) -> None:
    """Raise `CaptureError` if the value of `tensor` is asked for while a step is captured in which it was
    computed, or of which it is an argument. That of another tensor is noted.
    """
    recorder = state.recorder
    if recorder is None or not recorder.values_hidden:
        return
    if tensor._node is not None or id(tensor) in recorder.arguments:
        kind = f"{tensor.dtype.name}{list(tensor.shape)}"
        raise CaptureError(
            f"a captured step asks for the value of {tensor._node or f'its argument {kind}'} (by .item(), "
            f".numpy(), float(), print, if or an f-string). The compiled step would run with that one value "
            f"for ever. Return the tensor and look at it outside, or use stepgrad.where for a choice that "
            f"depends on values."
        )
    if id(tensor) not in recorder.constants:
        recorder.read.append((tensor, tensor._array.copy()))


class record:
    """Within ``with record() as nodes:`` every operation of this thread, backward too, goes to `nodes`.

    `recording`: an empty one to be used, of a class that keeps more.
    """

    def __init__(self, values_hidden: bool = False, recording: Recording | None = None) -> None:
        self._recording = Recording(values_hidden) if recording is None else recording

    def __enter__(self) -> Recording:
        self._outer = state.recorder
        state.recorder = self._recording
        return state.recorder

    def __exit__(self, *_: object) -> None:
        for tensor, node in self._recording.writes:
            # What was written to is a leaf again, with the new values; it must not keep the recording alive.
            if not tensor.requires_grad or not node.requires_grad:
                tensor._node = None
        for tensor in self._recording.kept():
            if not tensor.requires_grad:
                tensor._node = None
        state.recorder = self._outer
