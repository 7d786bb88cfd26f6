"""Preprocessing in two halves: the axis half outside the graph, the intensity half inside it."""

from lineshape.preprocessing.axis_half import AxisStep, Baseline, Crop, to_grid
from lineshape.preprocessing.intensity import (
    MSC,
    SNV,
    Area,
    Log1p,
    MinMax,
    SavitzkyGolay,
    SquareRoot,
    Step,
    TopHat,
    Vector,
    forward,
    inverse,
)

__all__ = [
    "MSC",
    "SNV",
    "Area",
    "AxisStep",
    "Baseline",
    "Crop",
    "Log1p",
    "MinMax",
    "SavitzkyGolay",
    "SquareRoot",
    "Step",
    "TopHat",
    "Vector",
    "forward",
    "inverse",
    "to_grid",
]
