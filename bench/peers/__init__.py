"""The parts of bench/gpu_peers.py: shapes, rivals, measurement of one shape, worker, page."""
