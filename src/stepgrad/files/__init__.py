"""Files: atomic writes, tensors in the safetensors format, models. Nothing that is read here can run code."""
