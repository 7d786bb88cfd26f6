"""What out-of-fold transfers are good for: telling materials apart, mixtures, resolution."""
