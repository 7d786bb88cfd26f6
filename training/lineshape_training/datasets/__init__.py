"""Data sets: from files to tables of spectra with their groups, checked before anything is fitted."""

from lineshape_training.datasets.catalogue import CATALOGUE, DataSet, load_dataset
from lineshape_training.datasets.checks import Finding, check_table, united
from lineshape_training.datasets.choice import Choice, choose
from lineshape_training.datasets.columns import read_columns
from lineshape_training.datasets.layout import EACH, Layout, read_table, to_table

__all__ = [
    "CATALOGUE",
    "EACH",
    "Choice",
    "DataSet",
    "Finding",
    "Layout",
    "check_table",
    "choose",
    "load_dataset",
    "read_columns",
    "read_table",
    "to_table",
    "united",
]
