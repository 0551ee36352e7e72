"""Arrays behind one face: data types, devices (NumPy or CuPy), random streams, functions NumPy lacks."""
