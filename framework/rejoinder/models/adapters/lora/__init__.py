"""LoRA: low-rank updates of linear layers."""
