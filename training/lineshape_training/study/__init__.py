"""Does it help? Real, augmented and generated spectra under the same probes, on groups that nobody has seen."""

from lineshape_training.study.study import PROTOCOLS, Study, StudySpec
from lineshape_training.study.table import Effect, Outcome, Row

__all__ = ["PROTOCOLS", "Effect", "Outcome", "Row", "Study", "StudySpec"]
