"""What adapters are trained for, one file each."""
