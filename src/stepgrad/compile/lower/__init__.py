"""Lowering: from clusters of values to LLVM IR."""
