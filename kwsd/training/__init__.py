"""Makes and judges models: data, augmentation, training, compression, metrics, reports."""
