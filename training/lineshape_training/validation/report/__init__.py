"""The report of a validation: one page that opens without a network, its pictures as PNG, and its numbers as JSON."""

from lineshape_training.validation.report.writing import write_report

__all__ = ["write_report"]
