"""What changes the weights: losses, optimizer, learning rate schedule, loss scale, class weights and EMA.

May import `lang` and `runtime.models`.
"""
