"""Bodies that several families build from: modules on tensors that know neither recipes nor spectra's preprocessing."""
