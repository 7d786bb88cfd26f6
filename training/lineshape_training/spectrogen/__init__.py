"""The parts of SpectroGen in one dimension.

reading.py    a measured spectrum becomes what the filters find in it, and its slopes
encoder.py    features to a latent, which also says what the material is made of
decoder.py    a latent to lines of the target's shape and a bounded residual
flow.py       or, in their place, a path from the source to the target
memory.py     the materials of the fit: what is like them, and what is one of them
network.py    all of it together, while it is fitted and afterwards
judging.py    what held-out materials settle about it
"""
