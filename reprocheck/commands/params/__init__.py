"""`reprocheck params`: what a training starts from, tensor by tensor."""
