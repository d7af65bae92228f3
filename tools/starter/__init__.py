"""Make the starter models again from the icon sets: data, training, evaluation, export."""
