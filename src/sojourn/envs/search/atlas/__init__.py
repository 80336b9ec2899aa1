"""The atlas: about 300,000 passages made from installed packages, and the facts that they state."""
