"""The demo judges its transfers on what they have not seen."""

from __future__ import annotations

from lineshape_training.demo.judge import judge
from lineshape_training.run import Run


def test_new_specimens_of_known_minerals_are_told_better_than_by_the_mean(transfer_run: Run) -> None:
    found = judge(transfer_run)
    assert -1 < found.held_out < 1
    assert -1 < found.nearest_neighbour < 1
    # The memory holds their minerals, and the mean spectrum none of them in particular.
    assert found.new_specimens > found.mean_spectrum + 0.2
