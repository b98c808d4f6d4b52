"""The Ray skin: actors that run the pure parts on shards, and survive their own death."""
