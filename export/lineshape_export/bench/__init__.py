"""What each format of each family costs, and how far it is from PyTorch: `lineshape bench export`."""
