"""ScienceWorld behind the wire: what one JVM is asked to do, by its one thread.

The simulator was made for one episode a process. What its episodes share is put back before each call: the counter that
numbers objects, the random generator (seeded anew for each step, from the episode's own seed), and the simplifications
in force. With that, and with the JVM's fixed identity hashes, an episode is a function of its task, its seed and its
actions, whatever else the process does.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from sojourn.envs.sciworld.wire import JavaError, Ref, Wire, call, call_static, construct, release, singleton
from sojourn.envs.sciworld.worlds import NUM_PART_OBJECTS, PARTS

UNKNOWN = "No known action matches that input."
"""What the simulator says to what it cannot parse; nothing has happened then."""
ROOMS = (
    *("art studio", "bathroom", "bedroom", "foundry", "greenhouse"),
    *("hallway", "kitchen", "living room", "outside", "workshop"),
)
"""Every room there is, in every task: where one can teleport to, if one can."""
TELEPORT = "teleportAction"

_GOLD_PATIENCE = 5
_CANCEL, _ANOTHER = "(or blank to cancel)", "(or another action)"
_SILENCE = "Nothing happens."
_COUNTER = "util.UniqueIdentifier"
_SIMPLIFIER = "main.scala.scienceworld.runtime.SimplifierProcessor"
_PARSER = "scienceworld.input.InputParser"
_OBJECT = "scienceworld.struct.EnvObject"


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What is loaded: a task of ScienceWorld's, its variation, and the simplifications, separated by commas."""

    task_name: str
    variation: int
    simplifications: str = ""


@dataclass(kw_only=True, slots=True)
class Episode:
    """One world in the JVM."""

    setting: Setting
    interface: Ref
    parser: Ref
    agent: Ref
    count: int
    """Where the counter of objects stands in this world."""
    num_choices: int = 0
    """How many readings of the last action the simulator asks to choose from; 0 when it does not ask."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What came of an action."""

    text: str
    score: int
    """ScienceWorld's own, in [-100, 100], so far."""
    is_over: bool
    is_known: bool
    """Whether the action could be read at all."""
    num_choices: int
    """How many readings of the action there are to choose from; 0 where it was clear."""


@dataclass(slots=True)
class Handle:
    """Where the thread keeps an episode for the environment that asked for it."""

    episode: Episode | None = None

    @property
    def live(self) -> Episode:
        """The episode; there is one between `load` and `release`."""
        assert self.episode is not None
        return self.episode


class Simulator:
    """The calls of one JVM; `wire` is its only connection."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self._mute()
        self.random: Ref = wire.ask(singleton("scala.util.Random"))
        self.predef: Ref = wire.ask(singleton("scala.Predef"))
        self._definitions: Ref = wire.ask(singleton("scienceworld.input.ActionDefinitions"))
        tags, kind = wire.send(singleton("scala.reflect.ClassTag"), call_static("java.lang.Class", "forName", _OBJECT))
        self._tag: Ref = wire.ask(call(tags, "apply", kind))
        self._no_objects: Ref = wire.ask(call_static("scala.Array", "empty", self._tag))
        self._simplifications: str | None = None

    def _mute(self) -> None:
        """Drop what the simulator prints, dozens of lines a step; must come before Scala's console is first used."""
        out: Ref = self.wire.ask(construct("java.io.PrintStream", os.devnull))
        self.wire.send(
            call_static("java.lang.System", "setOut", out), call_static("java.lang.System", "setErr", out), release(out)
        )

    def load(self, setting: Setting, handle: Handle) -> tuple[str, str]:
        """Make a world and put it into `handle`; returns the task's description and a look around."""
        interface = self._world(setting)
        parser, agent, count, description, look = self.wire.send(
            call(interface, "inputParser"),
            call(interface, "agent"),
            call_static(_COUNTER, "count"),
            call(interface, "getTaskDescription"),
            call(interface, "freeActionLook"),
        )
        handle.episode = Episode(setting=setting, interface=interface, parser=parser, agent=agent, count=count)
        return description, look.strip()

    def _world(self, setting: Setting) -> Ref:
        """What ScienceWorld's own load makes, without the parts of other tasks; see `worlds`."""
        part, variation = PARTS[setting.task_name], setting.variation
        seed_again = call(self.random, "setSeed", variation)
        *_, maker, _, _, pair = self.wire.send(
            call_static(_COUNTER, "count_$eq", part.num_objects),
            call(self.random, "setSeed", part.seed(variation)),
            construct(part.class_name, part.mode),
            call_static(_COUNTER, "count_$eq", NUM_PART_OBJECTS),
            seed_again,
            call_static("scienceworld.environments.EnvironmentMaker", "mkKitchenEnvironment", variation),
        )
        universe, agent = self.wire.send(call(pair, "_1"), call(pair, "_2"))
        _, outcome = self.wire.send(seed_again, call(maker, "setupCombination", variation, universe, agent))
        is_made, message, goals = self.wire.send(
            call(outcome, "_1"), call(outcome, "_2"), call(maker, "setupGoals", variation)
        )
        if not is_made:
            raise JavaError(f"the world of {setting} cannot be made: {message}")
        interface, *_ = self.wire.send(
            construct("scienceworld.runtime.AgentInterface", universe, agent, goals, setting.simplifications),
            *map(release, (maker, pair, universe, agent, outcome, goals)),
        )
        self._simplifications = setting.simplifications
        ref: Ref = interface
        return ref

    def step(self, episode: Episode, action: str, seed: int) -> Outcome:
        """Carry out one action. An unknown one changes nothing, not even a question that is still open."""
        is_choice = action.isdecimal() and int(action) < episode.num_choices
        kept: Ref | None = None
        if episode.num_choices and not is_choice:  # a new action instead of an answer
            kept, _ = self.wire.send(
                call(episode.parser, "lastAmbiguousMatches"), call(episode.parser, "clearAmbiguousState")
            )
        outcome = self._step(episode, action, seed)
        if kept is not None:
            if not outcome.is_known:
                self.wire.ask(call(episode.parser, "lastAmbiguousMatches_$eq", kept))
            self.wire.ask(release(kept))
        if outcome.is_known:
            episode.num_choices = outcome.num_choices
        return outcome

    def _step(self, episode: Episode, action: str, seed: int) -> Outcome:
        result: Ref = self.wire.send(*self._prepared(episode, seed), call(episode.interface, "step", action))[-1]
        text, value, is_completed, count, has_failed, message, num_choices, _ = self.wire.send(
            call(result, "_1"),
            call(result, "_2"),
            call(result, "_3"),
            call_static(_COUNTER, "count"),
            call(episode.interface, "isInErrorState"),
            call(episode.interface, "getErrorStateMessage"),
            call(episode.parser, "getNumAmbiguousMatches"),
            release(result),
        )
        if has_failed:
            raise JavaError(f"the simulator failed in {episode.setting}: {message}"[:300])
        episode.count = count
        score = round(100 * value)
        return Outcome(
            text=text.strip().replace(_CANCEL, _ANOTHER) or _SILENCE,
            score=score,
            is_over=is_completed or score < 0,  # a wrong focus is not called completed
            is_known=text != UNKNOWN,
            num_choices=num_choices,
        )

    def _prepared(self, episode: Episode, seed: int) -> list[str]:
        """The calls that put back what the episodes of a JVM share."""
        commands = [call_static(_COUNTER, "count_$eq", episode.count), call(self.random, "setSeed", seed)]
        if self._simplifications != episode.setting.simplifications:
            parsed: Ref = self.wire.ask(
                call_static(_SIMPLIFIER, "parseSimplificationStr", episode.setting.simplifications)
            )
            self.wire.ask(release(parsed))
            self._simplifications = episode.setting.simplifications
        return commands

    def commands(self, episode: Episode, seed: int) -> Sequence[str]:
        """What the simulator calls valid now, and its parser knows; the numbers of the choices while it asks for one.

        ScienceWorld's own list names every object of the house, for the sake of teleporting (most of its cost), and
        things that are out of reach, such as what is in a closed cupboard, which its parser then does not know. Rooms
        never change, so only what is in sight is named here, and only what is in reach is listed. A test compares.
        """
        if episode.num_choices:
            return tuple(map(str, range(episode.num_choices)))
        ask = self.wire.ask
        option: Ref = self.wire.send(*self._prepared(episode, seed), call(episode.agent, "getContainer"))[-1]
        room: Ref = ask(call(option, "get"))
        seen, around, held = self.wire.send(
            call_static(_PARSER, "collectObjects", room, False),
            call_static(_PARSER, "collectAccessibleObjects", room, True),
            call_static(_PARSER, "collectAccessibleObjects", episode.agent, True),
        )
        in_reach: Ref = ask(call(around, "union", held))
        both: Ref = ask(call(seen, "intersect", in_reach))
        named, objects = self.wire.send(call(seen, "toArray", self._tag), call(both, "toArray", self._tag))
        names: Ref = ask(call(episode.parser, "getAllUniqueReferentsLUTObjList", named, room, True, True))
        possible: Ref = ask(
            call(self._definitions, "mkPossibleActions", episode.agent, objects, self._no_objects, names, names)
        )
        wrapped: Ref = ask(call(self.predef, "genericWrapArray", possible))
        refs = (option, room, seen, around, held, in_reach, both, named, objects, names, possible, wrapped)
        text: str = self.wire.send(call(wrapped, "mkString", "\n"), *map(release, refs))[0]
        listed = {line for line in text.split("\n") if line}
        if TELEPORT in episode.setting.simplifications.split(","):
            listed.update(f"teleport to {room_name}" for room_name in ROOMS)
        return tuple(sorted(listed))

    def gold_path(self, setting: Setting) -> Sequence[str]:
        """The simulator's own solution, found in a world of its own; takes up to seconds."""
        loader: Ref = self.wire.ask(construct("scienceworld.runtime.pythonapi.PythonInterface"))
        name, variation, simplifications = setting.task_name, setting.variation, setting.simplifications
        with self.wire.patience(_GOLD_PATIENCE):
            failed = self.wire.ask(call(loader, "load", name, variation, simplifications, True))
        if failed:
            raise JavaError(failed)
        self._simplifications = simplifications
        listed: Ref = self.wire.ask(call(loader, "getGoldActionSequence"))
        joined: str = self.wire.send(
            call_static("java.lang.String", "join", "\n", listed), release(listed), release(loader)
        )[0]
        return tuple(joined.split("\n")) if joined else ()

    def release(self, handle: Handle) -> None:
        """Let the JVM forget a world; nothing to do where there is none."""
        if handle.episode is not None:
            refs = (handle.episode.interface, handle.episode.parser, handle.episode.agent)
            handle.episode = None
            self.wire.send(*map(release, refs))
