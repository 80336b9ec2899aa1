"""The shop's back office, over the same tables as the shop."""
