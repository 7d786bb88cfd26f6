"""Pictures on the page: a grid of panels that the script draws, with a legend, and the PNG's name below."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import msgspec
from plotly.offline import get_plotlyjs

from lineshape_training.page import Markup, html
from lineshape_training.validation.report.interactive import figure
from lineshape_training.validation.report.scene import SIGNS, Panel, Picture


def gallery(pictures: Sequence[Picture]) -> Markup:
    """All pictures, one after the other."""
    return Markup("\n".join(_picture(picture) for picture in pictures))


def figures(pictures: Sequence[Picture]) -> Markup:
    """The data of all panels as inert text; a less-than sign is spelt out, so that nothing ends the element."""
    data: dict[str, Any] = {
        _identity(picture, number): figure(panel) for picture in pictures for number, panel in enumerate(picture.panels)
    }
    text = msgspec.json.encode(data).decode().replace("<", "\\u003c")
    return Markup(f'<script type="application/json" id="figures">{text}</script>')


def scripts() -> tuple[str, str]:
    """Plotly, and what draws the figures with it."""
    return get_plotlyjs(), files(__package__).joinpath("plots.js").read_text("utf-8")


def _picture(picture: Picture) -> str:
    panels = "\n".join(_panel(panel, _identity(picture, number)) for number, panel in enumerate(picture.panels))
    legend = "".join(
        f'<span><span class="sign" style="color: var(--{role})">{SIGNS[sign]}</span> {html(name)}</span>'
        for name, (role, sign) in picture.legend.items()
    )
    explained = f'<p class="legend">{legend}</p>' if legend else ""
    return f"""<section class="picture"><h3>{html(picture.title)}</h3>
<p>{html(picture.about)} <a href="{picture.name}.png">{picture.name}.png</a></p>
{explained}
<div class="grid columns{picture.columns}">{panels}</div></section>"""


def _panel(panel: Panel, identity: str) -> str:
    title = html(panel.title)
    return (f'<figure class="panel"><figcaption>{title}</figcaption><div class="plot" id="{identity}" role="img" '
            f'aria-label="{title}" style="height: {panel.height:g}rem"></div></figure>')  # fmt: skip


def _identity(picture: Picture, number: int) -> str:
    return f"plot-{picture.name}-{number}"
