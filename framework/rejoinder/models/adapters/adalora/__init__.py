"""AdaLoRA: low-rank updates whose ranks are shared out while training."""
