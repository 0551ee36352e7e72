"""The same training steps, timed side by side: stepgrad against the peers that are installed.

``python -m benchmarks`` runs everything, ``python -m benchmarks --help`` says how to run less. A workload is
one record in `workloads.py`; a peer is one file in `peers/`. Nothing here is installed with the package.
"""
