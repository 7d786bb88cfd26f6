"""The generator families side by side, on groups that none has seen, beside classical augmentation and SMOTE."""

from lineshape_training.comparison.choice import recipes_of
from lineshape_training.comparison.comparison import Comparison, Line
from lineshape_training.comparison.pictures import side_by_side
from lineshape_training.comparison.text import as_text

__all__ = ["Comparison", "Line", "as_text", "recipes_of", "side_by_side"]
