from signalbox_deploys.plugin import Deploys

__all__ = ["Deploys"]
