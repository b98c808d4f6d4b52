"""From the bytes of a row to its vector: decoding, encoders, the embedding loop, normalisation."""
