"""The atlas: about 300,000 passages made from installed packages, and the facts that they state."""

from sojourn.envs.search.atlas.build import Atlas, is_built, open_atlas
from sojourn.envs.search.atlas.facts import Facts
from sojourn.envs.search.atlas.manifest import Manifest
from sojourn.envs.search.atlas.world import RELATIONS

__all__ = ["RELATIONS", "Atlas", "Facts", "Manifest", "is_built", "open_atlas"]
