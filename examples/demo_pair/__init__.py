"""The parts of `examples/train_demo_pair.py`: problems, traces, tokenizer, model, trainings."""
