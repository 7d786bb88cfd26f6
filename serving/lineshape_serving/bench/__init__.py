"""What serving costs and bears, beside its peers on the same machine: `lineshape bench serve`."""
