"""The parts of bench/gpu_peers.py: plan of shapes, rivals, measuring one shape, worker process."""
