"""An ONNX graph in half precision, from its first layer with weights on.

Converters that come with ONNX Runtime pass what they leave in float32 through halves between two nodes; the words of
seeded noise and the counts of a detector would not survive that. Here whatever no layer feeds stays untouched.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

LAYERS = ("Conv", "Gemm", "MatMul")
WIDE = frozenset({  # stay in float32: sums and powers that leave the range of a half, and what takes no half
    "CumSum", "Exp", "LayerNormalization", "Log", "Pow", "Range", "ReduceL1", "ReduceL2", "ReduceMean", "ReduceSum",
    "ReduceSumSquare", "Resize", "Softmax", "Softplus",
})  # fmt: skip
FULL, HALF = TensorProto.FLOAT, TensorProto.FLOAT16
LARGEST = float(np.finfo(np.float16).max)


def halved(model: ModelProto) -> ModelProto:
    """The same graph with the same inputs and outputs, in half precision inside."""
    inferred = onnx.shape_inference.infer_shapes(model)
    half = ModelProto()
    half.CopyFrom(model)
    del half.graph.node[:], half.graph.initializer[:]
    halving = _Halving(inferred.graph)
    half.graph.node.extend(halving.nodes(model.graph.node))
    half.graph.initializer.extend(halving.constants(half.graph.node))
    return half


class _Halving:
    """One pass over the nodes in their order, that knows of each tensor which precision it has."""

    def __init__(self, graph: GraphProto) -> None:
        values = (*graph.value_info, *graph.input, *graph.output)
        self.types = {value.name: value.type.tensor_type.elem_type for value in values}
        self.weights = {weight.name: weight for weight in graph.initializer}
        self.types |= {name: weight.data_type for name, weight in self.weights.items()}
        self.outputs = {output.name for output in graph.output}
        self.fed: set[str] = set()  # by a layer
        self.there: dict[tuple[str, int], str] = {}  # each tensor in another precision than it was made in

    def nodes(self, nodes: Iterable[NodeProto]) -> Iterator[NodeProto]:
        """Each node in its precision, and the casts that it needs before it."""
        for old in nodes:
            if old.op_type not in LAYERS and not self.fed.intersection(old.input):
                yield old
                continue
            self.fed.update(old.output)
            node = NodeProto()
            node.CopyFrom(old)
            wanted = FULL if node.op_type in WIDE else HALF
            for place, name in enumerate(node.input):
                if self.types.get(name) in (FULL, HALF) and self.types[name] != wanted:
                    yield from self._cast(name, wanted)
                    node.input[place] = self.there[name, wanted]
            yield from self._made(node, wanted)

    def constants(self, nodes: Iterable[NodeProto]) -> list[TensorProto]:
        """The weights that some node still reads, each in the precision in which it is read."""
        read = {name for node in nodes for name in node.input}
        full = [weight for name, weight in self.weights.items() if name in read]
        halves = [self._half(name, there) for (name, _), there in self.there.items() if name in self.weights]
        return [*full, *(half for half in halves if half.name in read)]

    def _half(self, name: str, there: str) -> TensorProto:
        values = np.clip(numpy_helper.to_array(self.weights[name]), -LARGEST, LARGEST)
        return numpy_helper.from_array(values.astype(np.float16), there)

    def _cast(self, name: str, wanted: int) -> Iterator[NodeProto]:
        """Once for all readers; a weight is written down in the other precision instead."""
        if (name, wanted) in self.there:
            return
        there = self.there[name, wanted] = f"{name}_{'half' if wanted == HALF else 'full'}"
        self.types[there] = wanted
        if name not in self.weights:
            yield helper.make_node("Cast", [name], [there], to=wanted)

    def _made(self, node: NodeProto, precision: int) -> Iterator[NodeProto]:
        """A node with its outputs; those of the graph are in full precision."""
        to = next((attribute for attribute in node.attribute if attribute.name == "to"), None)
        if node.op_type == "Cast" and to is not None and to.i == FULL:
            to.i = precision
        elif not any(self.types.get(name) in (FULL, HALF) for name in node.input):
            precision = FULL  # it makes what it makes of whole numbers
        back = []
        for place, name in enumerate(node.output):
            if self.types.get(name) != FULL or precision == FULL:
                continue
            if name in self.outputs:
                node.output[place] = self.there[name, HALF] = f"{name}_half"
                back.append(helper.make_node("Cast", [f"{name}_half"], [name], to=FULL))
            else:
                self.types[name] = HALF
        yield node
        yield from back
