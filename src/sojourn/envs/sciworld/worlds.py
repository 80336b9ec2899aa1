"""How a world is built: what ScienceWorld does at a load, without what it does for the other 29 tasks.

A load of ScienceWorld's makes the objects of all variations of all 30 tasks, to use those of one: nine tenths of its
cost. What the one task's part sees of the others is where they leave the random generator and the counter that numbers
objects. Both are constants, the same for every variation, and tabled here; with them the part alone builds the same
world, down to the numbers of its objects. That holds for the version of ScienceWorld named here, and a test compares.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PACKAGE_VERSION = "1.2.3"
"""The version of ScienceWorld that the table, and ``sciworld-v1``, are about."""
NUM_PART_OBJECTS = 17_196
"""Where the counter of objects stands after the parts of all tasks: the house is numbered from here."""

# java.util.Random: 48 bits, next state = state * multiplier + increment
_MULTIPLIER, _INCREMENT, _MASK = 0x5DEECE66D, 0xB, (1 << 48) - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One task's part of a load."""

    class_name: str
    mode: str
    """The argument of its constructor: some classes build several tasks."""
    num_draws: int
    """Random numbers that the parts before it have drawn."""
    num_objects: int
    """Objects that the parts before it have made."""

    def seed(self, variation: int) -> int:
        """The seed with which java.util.Random is where this part finds it in a load of `variation`."""
        state = (variation ^ _MULTIPLIER) & _MASK
        multiplier, increment = _jump(self.num_draws)
        return ((state * multiplier + increment) & _MASK) ^ _MULTIPLIER


def _jump(num_steps: int) -> tuple[int, int]:
    """Multiplier and increment of many steps of the generator at once."""
    multiplier, increment = 1, 0
    for bit in bin(num_steps)[2:]:
        multiplier, increment = multiplier * multiplier & _MASK, (multiplier * increment + increment) & _MASK
        if bit == "1":
            multiplier, increment = multiplier * _MULTIPLIER & _MASK, (increment * _MULTIPLIER + _INCREMENT) & _MASK
    return multiplier, increment


_TABLE = """\
change-the-state-of-matter-of TaskChangeOfState 0 0 change the state of matter of
melt TaskChangeOfState 8 90 melt
boil TaskChangeOfState 16 180 boil
freeze TaskChangeOfState 24 270 freeze
power-component TaskElectricCircuit 32 360 power component
power-component-renewable-vs-nonrenewable-energy TaskElectricCircuit 32 390 \
power component (renewable vs nonrenewable energy)
test-conductivity TaskElectricalConductivity 32 420 test conductivity
test-conductivity-of-unknown-substances TaskElectricalConductivity2 32 576 test conductivity of unknown substances
find-living-thing TaskFindLivingNonLiving 56 696 find living thing
find-non-living-thing TaskFindLivingNonLiving 216 1986 find non-living thing
find-plant TaskFindLivingNonLiving 376 3276 find plant
find-animal TaskFindLivingNonLiving 536 4566 find animal
grow-plant TaskGrowPlant 696 5856 grow plant
grow-fruit TaskGrowPlant 696 6657 grow fruit
chemistry-mix TaskChemistryMix 696 7458 chemistry mix
chemistry-mix-paint-secondary-color TaskChemistryMixPaint 696 7770 chemistry mix paint (secondary color)
chemistry-mix-paint-tertiary-color TaskChemistryMixPaint 698 7881 chemistry mix paint (tertiary color)
lifespan-longest-lived TaskLifeSpan 700 7992 lifespan (longest lived)
lifespan-shortest-lived TaskLifeSpan 700 8037 lifespan (shortest lived)
lifespan-longest-lived-then-shortest-lived TaskLifeSpan 700 8082 lifespan (longest lived then shortest lived)
identify-life-stages-1 TaskIdentifyLifeStages1 700 8127 identify life stages 1
identify-life-stages-2 TaskIdentifyLifeStages2 700 8757 identify life stages 2
inclined-plane-friction-named-surfaces TaskInclinedPlane1 780 11607 inclined plane friction (named surfaces)
inclined-plane-friction-unnamed-surfaces TaskInclinedPlane2 780 11757 inclined plane friction (unnamed surfaces)
inclined-plane-determine-angle TaskInclinedPlane3 780 11817 inclined plane determine angle
mendelian-genetics-known-plant TaskMendelianGenetics1 780 11877 mendelian genetics (known plant)
mendelian-genetics-unknown-plant TaskMendelianGenetics2 920 12237 mendelian genetics (unknown plant)
use-thermometer TaskUseInstrumentThermometer 2000 12837 use thermometer
measure-melting-point-known-substance TaskUseInstrumentThermometer2 2720 14010 measure melting point (known substance)
measure-melting-point-unknown-substance TaskUseInstrumentThermometer3 2745 14313 \
measure melting point (unknown substance)
"""


def _part(line: str) -> tuple[str, Part]:
    name, class_name, num_draws, num_objects, mode = line.split(" ", 4)
    full_name = f"scienceworld.tasks.specifictasks.{class_name}"
    return name, Part(class_name=full_name, mode=mode, num_draws=int(num_draws), num_objects=int(num_objects))


PARTS: Mapping[str, Part] = dict(map(_part, _TABLE.splitlines()))
"""Task name -> its part, in ScienceWorld's order of building."""
