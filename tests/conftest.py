"""Being here puts the repository root on the path, so that ``tests.toys`` can be imported by name."""

import torch

# Tests run tiny tensors: a second thread costs more than it gives, most of all on a busy machine.
torch.set_num_threads(1)
