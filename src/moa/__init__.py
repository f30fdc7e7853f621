"""moa: several language models in layers, selectable as one better model.

>>> from moa import Mixture
>>> print(Mixture.from_config().ask_sync("What is 347 + 85?"))
"""

from moa._version import __version__
from moa.core.agents import Agent
from moa.core.answer import Answer
from moa.core.errors import ConfigError, MoaError
from moa.core.events import Event
from moa.core.flow import Ask, Flow, Fork, play
from moa.core.ports import Provider
from moa.core.types import Call, Image, Message, Reply, user
from moa.core.view import fold
from moa.mixture import Mixture

__all__ = [
    "Agent",
    "Answer",
    "Ask",
    "Call",
    "ConfigError",
    "Event",
    "Flow",
    "Fork",
    "Image",
    "Message",
    "Mixture",
    "MoaError",
    "Provider",
    "Reply",
    "__version__",
    "fold",
    "play",
    "user",
]
