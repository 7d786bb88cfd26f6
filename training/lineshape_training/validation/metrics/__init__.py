"""What synthetic spectra are judged by: each metric a function of plain arrays, with its range and direction."""
