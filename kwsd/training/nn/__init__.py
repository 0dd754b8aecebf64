"""The networks in torch, and their quantization."""
