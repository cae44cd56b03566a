"""What makes a model: folds, members, stack, threshold, checks. It needs the training extra."""
