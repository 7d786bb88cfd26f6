"""A bundle again, under another name or version."""

from __future__ import annotations

import msgspec

from lineshape.bundle import open_bundle, seal


def resealed(path, out, **changes):
    """The same bundle with another manifest."""
    bundle = open_bundle(path)
    seal(
        msgspec.structs.replace(bundle.manifest, **changes),
        {name: bundle.read(name) for name in bundle.manifest.files},
        out,
    )
    return out
