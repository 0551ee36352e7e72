"""What a compiled step depends on besides numbers: kinds of arguments, and Python values that it reads."""
