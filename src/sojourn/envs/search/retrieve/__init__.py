"""What finds passages: the embedded index, and everything else that can be asked over a file or a wire."""

from sojourn.envs.search.retrieve.specs import open_retriever

__all__ = ["open_retriever"]
