"""The errors of Lineshape: one tree, each class with its HTTP status and its exit code.

    LineshapeError                  500  1
    ├── UsageError                  400  2   the call itself is wrong: an option, a name, a number
    │   ├── AxisError               400  2   an axis that is not one, or units that do not convert
    │   ├── MissingExtra            501  2   a command needs packages that are not installed
    │   └── RecipeError             400  2   a recipe that cannot be fitted as written
    ├── DataError                   422  1   spectra that cannot be used as they are
    │   ├── ReadError               422  1   a file that no reader understands
    │   └── LeakError               422  1   a group that stands on both sides of a split
    ├── TensorError                 400  1   a tensor that the bundle does not accept
    ├── UnknownModel                404  2   a model or version that is not loaded
    ├── AccessError                 401  1   no key where one is needed, or a key that nobody knows
    │   └── ForbiddenError          403  1   a key without the right that was asked for
    ├── OverloadError               503  1   more work than a server takes now; `retry_after` says when to come back
    │   └── QuotaError              429  1   more than the key may ask for
    ├── UnreachableError            504  1   a server that cannot be reached, or does not answer in time
    ├── FitError                    500  1   a fit that diverged or cannot go on
    └── BundleError                 500  3   a bundle that was refused
        ├── TamperedBundle          500  3   a file changed, missing, planted or outside the folder
        ├── UntrustedBundle         500  3   a bundle that no trusted key has signed
        ├── UnsupportedBundle       500  3   a bundle of another schema or without the asked-for task
        ├── ParityError             500  3   outputs that miss the recorded ones by more than the tolerance
        └── FailedValidation        500  4   a model whose validation says 'fail', and nobody answers for it

A message says what was wrong, where (file, tensor, model) and what to do.
"""

from __future__ import annotations

from typing import ClassVar


class LineshapeError(Exception):
    """Base of every error that Lineshape raises on purpose."""

    http_status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1


class UsageError(LineshapeError):
    """The call itself is wrong: an option, a name or a number."""

    http_status = 400
    exit_code = 2


class AxisError(UsageError):
    """An axis that is not one, or units that do not convert into each other."""


class MissingExtra(UsageError):
    """A command needs packages that are not installed."""

    http_status = 501

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs the extra '{extra}': pip install 'lineshape[{extra}]'")


class RecipeError(UsageError):
    """A recipe that cannot be fitted as it is written."""


class DataError(LineshapeError):
    """Spectra that cannot be used as they are."""

    http_status = 422


class ReadError(DataError):
    """A file that no reader understands."""


class LeakError(DataError):
    """A group (patient, replicate, mineral) that stands on both sides of a split."""


class TensorError(LineshapeError):
    """A tensor that the bundle does not accept: name, dtype, shape or value."""

    http_status = 400


class UnknownModel(LineshapeError):
    """A model or version that is not loaded."""

    http_status = 404
    exit_code = 2


class AccessError(LineshapeError):
    """No key where one is needed, or a key that nobody knows."""

    http_status = 401


class ForbiddenError(AccessError):
    """A key without the right that was asked for."""

    http_status = 403


class OverloadError(LineshapeError):
    """More work than a server takes at present.

    Parameters
    ----------
    message : str
    retry_after : float
        Seconds after which it is worth asking again.
    """

    http_status = 503

    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class QuotaError(OverloadError):
    """More than the key may ask for."""

    http_status = 429


class UnreachableError(LineshapeError):
    """A server that cannot be reached, or does not answer in time.

    Parameters
    ----------
    message : str
    lasting : bool
        Whether to try again is of no use, as with a certificate that is not trusted.
    """

    http_status = 504

    def __init__(self, message: str, lasting: bool = False) -> None:
        super().__init__(message)
        self.lasting = lasting


class FitError(LineshapeError):
    """A fit that diverged or cannot go on."""


class BundleError(LineshapeError):
    """A bundle that was refused."""

    exit_code = 3


class TamperedBundle(BundleError):
    """A listed file changed or missing, a file planted, or a path that leaves the folder."""


class UntrustedBundle(BundleError):
    """A bundle that no trusted key has signed."""


class UnsupportedBundle(BundleError):
    """A bundle of another schema version, or without what was asked of it."""


class FailedValidation(BundleError):
    """A model whose validation says 'fail', and nobody answers for it."""

    exit_code = 4


class FidelityError(BundleError):
    """A graph in lower precision that is too far from the full one."""


class ParityError(BundleError):
    """Outputs that miss the recorded ones by more than the bundle's tolerance."""
