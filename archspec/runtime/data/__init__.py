"""Images from a source to batches: `source` opens and checks them, `pipeline` feeds them to training and evaluation."""
