"""Trains and evaluates models: data, augmentation, training, compression, metrics, reports."""
