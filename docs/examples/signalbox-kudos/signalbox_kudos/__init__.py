from signalbox_kudos.plugin import Kudos

__all__ = ["Kudos"]
