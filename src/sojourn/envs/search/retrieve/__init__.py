"""What finds passages: the embedded index, and everything else that can be asked over a file or a wire."""
