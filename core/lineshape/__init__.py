"""The words everyone speaks: axis, spectrum, readers, preprocessing, seeded noise, the bundle contract, errors."""
