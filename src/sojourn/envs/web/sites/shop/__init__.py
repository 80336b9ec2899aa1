"""The shop: a catalogue, carts, orders and accounts."""
