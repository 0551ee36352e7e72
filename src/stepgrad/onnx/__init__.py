"""Models for other programs: export to ONNX (Open Neural Network Exchange, onnx.ai)."""

from stepgrad.onnx.export import export

__all__ = ["export"]
