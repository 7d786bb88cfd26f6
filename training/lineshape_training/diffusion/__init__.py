"""Diffusion and flow, as small parts that are put together by a family.

A spectrum x becomes noise along a path z(t) = alpha(t) x + sigma(t) e, from t = 0, the spectrum, to t = 1, standard
normals e. A network that sees z(t) estimates both x and e; with them the path can be walked back, by the ordinary
differential equation dz/dt = alpha'(t) x + sigma'(t) e (Song et al., 2021), in few steps or many.

schedules     how alpha and sigma go with time
predictions   what the network says, and how x and e follow from it
guidance      two estimates, with and without what is told, and the way from one beyond the other
samplers      how a step goes from one time to the next
coordinates   in which numbers a spectrum is diffused
"""
