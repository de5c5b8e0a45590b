"""What is checked of model and weight files, which come from strangers, before it is read or allocated."""
