"""Quality against the number of network evaluations: diffusion, flow, what is distilled from it, and shortcut."""

from lineshape_training.steps.bench import StepsBench
from lineshape_training.steps.networks import Lesson
from lineshape_training.steps.pictures import curves
from lineshape_training.steps.table import Line, Range, Steps, Verdict, verdicts
from lineshape_training.steps.text import as_text
from lineshape_training.steps.ways import FITTED, WAYS, Way

__all__ = [
    "FITTED",
    "WAYS",
    "Lesson",
    "Line",
    "Range",
    "Steps",
    "StepsBench",
    "Verdict",
    "Way",
    "as_text",
    "curves",
    "verdicts",
]
