"""A bento: bundles and the service that serves them, as BentoML ships and deploys things.

Inside it runs what `lineshape serve` runs. LINESHAPE_KEYS names the file of keys on the machine where it runs; without,
it answers that machine only.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from importlib.metadata import version as installed_version
from pathlib import Path

import bentoml

from lineshape.bundle import Bundle, check_verdict, copy_bundle
from lineshape.errors import UsageError

SERVICE = '''"""What this bento serves: the bundles beside this file."""

import os
from pathlib import Path

from lineshape_serving.settings import Settings

_told = {"bundles": [str(Path(__file__).parent / "bundles")], "keys": os.environ.get("LINESHAPE_KEYS")}
os.environ.update(Settings.given(_told).to_environment())

from lineshape_serving.service import LineshapeService  # noqa: E402 - it reads the environment

__all__ = ["LineshapeService"]
'''


def build_bento(bundles: Sequence[Bundle], name: str, python: Sequence[str] = ()) -> str:
    """Build a bento in BentoML's store (BENTOML_HOME).

    Parameters
    ----------
    bundles : sequence of Bundle
        Verified; each is sealed in the bento as it is.
    name : str
        Of the bento.
    python : sequence of str
        What its image installs; by default this version of Lineshape from the package index.

    Returns
    -------
    str
        NAME:VERSION, with the version that BentoML made up.

    Raises
    ------
    FailedValidation
        If a model failed validation, and nobody answers for that.
    UsageError
        If two bundles have one name and version, or BentoML refuses.
    """
    packages = list(python) or [f"lineshape[serving]=={installed_version('lineshape')}"]
    with tempfile.TemporaryDirectory() as folder:
        _lay_out(Path(folder), bundles)
        try:
            bento = bentoml.build(
                "service:LineshapeService", name=name, build_ctx=folder, include=["service.py", "bundles/*"],
                python={"packages": packages, "lock_packages": False},
            )  # fmt: skip
        except Exception as error:  # anything that a store or a name may be
            raise UsageError(f"BentoML cannot build {name!r}: {' '.join(str(error).split())}") from error
    return str(bento.tag)


def _lay_out(folder: Path, bundles: Sequence[Bundle]) -> None:
    (folder / "bundles").mkdir()
    (folder / "service.py").write_text(SERVICE)
    for bundle in bundles:
        check_verdict(bundle)
        target = folder / "bundles" / f"{bundle.manifest.name}-{bundle.manifest.version}.lineshape"
        if target.exists():
            raise UsageError(f"two bundles are {bundle.manifest.name} {bundle.manifest.version}; name one of them")
        copy_bundle(bundle, target)
