"""Tables of a person's own: reading them, finding the task, splitting the rows, preparing the columns for a
network.
"""
