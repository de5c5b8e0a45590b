"""The papers' test protocols: from one image to its views, from their softmax outputs to one, and to error rates."""
