"""The workshop (torch): the CRNN, data, augmentation, training, compression, metrics, plots."""
