"""Calls of a loaded signature that pass only the inputs that are given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any, Final
from weakref import finalize

from reelflow.saved_model.contract import Signature

if TYPE_CHECKING:
    import tensorflow as tf

OFTEN: Final = 8
"""Calls with the same inputs after which a graph of them is made: .2 s, once."""
MOST: Final = 16
"""Graphs of a signature, at most."""


class LeanCalls:
    """A signature of which inputs may be left out.

    Python's call of a signature takes longer with each input: ten take longer than a list that was
    computed beforehand. For inputs that are given together often there is a graph that takes these
    alone, with the defaults of the others in it, of which TensorFlow computes beforehand whatever
    it can. Threads may call it.
    """

    def __init__(
        self, function: Callable[..., Mapping[str, tf.Tensor]], signature: Signature
    ) -> None:
        """Take a function of tensors by name.

        Args:
            function: of a loaded SavedModel; others are called with all inputs, always.
            signature: dtypes and defaults of its inputs.
        """
        import tensorflow as tf

        self._function = function
        self._defaults = {
            name: tf.convert_to_tensor(one.default, one.dtype)
            for name, one in signature.inputs.items()
            if one.default is not None
        }
        self._loaded = hasattr(function, "structured_input_signature")
        self._calls: Counter[tuple[str, ...]] = Counter()
        self._graphs: dict[tuple[str, ...], Callable[..., Mapping[str, tf.Tensor]]] = {}
        # While TensorFlow is still there to let go of them, when the process ends.
        finalize(self, self._graphs.clear)
        self._lock = Lock()

    def __call__(self, given: Mapping[str, tf.Tensor]) -> Mapping[str, tf.Tensor]:
        """Call with eager tensors of the signature's dtypes.

        Args:
            given: by name, in the order of the signature; all that have no default.

        Raises:
            ValueError, TypeError, tf.errors.InvalidArgumentError: as the function.
        """
        names = tuple(given)
        graph = self._graphs.get(names) or self._graph_of(names)
        if graph is not None:
            try:
                return graph(*given.values())
            except TypeError:  # a shape that the signature does not take, as its own error says
                pass
        return self._function(**{**self._defaults, **given})

    def _graph_of(self, names: tuple[str, ...]) -> Callable[..., Mapping[str, tf.Tensor]] | None:
        """Count a call, and make the graph when there have been enough; None if there is none."""
        if not self._loaded or len(self._graphs) == MOST:
            return None
        if not self._lock.acquire(blocking=False):
            return None  # another thread makes a graph: who asks meanwhile does without
        try:
            self._calls[names] += 1
            if self._calls[names] >= OFTEN and len(self._graphs) < MOST:
                self._graphs[names] = self._traced(names)
            return self._graphs.get(names)
        finally:
            self._lock.release()

    def _traced(self, names: tuple[str, ...]) -> Callable[..., Mapping[str, tf.Tensor]]:
        import tensorflow as tf

        function: Any = self._function
        specs = function.structured_input_signature[1]
        rest = {
            name: (value.numpy(), value.dtype)
            for name, value in self._defaults.items()
            if name not in names
        }

        @tf.function(input_signature=[specs[name] for name in names], autograph=False)
        def alone(*tensors: tf.Tensor) -> Mapping[str, tf.Tensor]:
            constants = {name: tf.constant(value, dtype) for name, (value, dtype) in rest.items()}
            outputs: Mapping[str, tf.Tensor] = function(
                **constants, **dict(zip(names, tensors, strict=True))
            )
            return outputs

        graph: Callable[..., Mapping[str, tf.Tensor]] = alone.get_concrete_function()
        return graph
