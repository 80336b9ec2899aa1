"""Where the weights live: sampling and training of one model behind one protocol."""
