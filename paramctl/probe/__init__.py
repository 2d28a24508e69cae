"""What happens in a model when it runs: outputs, gradients, a few steps of training."""
