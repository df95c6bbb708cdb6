"""How the training loop treats models, gradients and optimizers."""
