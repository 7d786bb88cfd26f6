"""The record for regulators: what a run and its validation know, and marked blanks for what only people can say."""

from lineshape_training.dossier.writing import Dossier, dossier_of, write_dossier

__all__ = ["Dossier", "dossier_of", "write_dossier"]
