"""Fewer evaluations from a fitted diffusion or flow: students that learn from it.

pairs        noise and the spectrum that the teacher makes of it
students     what each way of distilling minimises
distilling   the fit of a student, from its teacher to a run of its own
acceptance   whether the student is as good as its teacher, within stated margins
"""
