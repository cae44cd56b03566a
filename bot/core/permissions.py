"""Who may do what: roles from the settings, deny by default. The one check that everything passes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bot.core.errors import Refused
from bot.core.settings import Role


class Permissions:
    """Args:
    roles: role name to members and permissions.
    groups_of: handles of the user groups a person belongs to, `TEAM/HANDLE` for those of another
        workspace; asked only when a role names one.
    """

    def __init__(self, roles: Mapping[str, Role], groups_of: Callable[[str], frozenset[str]]) -> None:
        self._roles = roles
        self._groups_of = groups_of

    def allowed(self, user_id: str, permission: str | None) -> bool:
        """Whether a person may; `None` is for what only reads and is open to all."""
        if permission is None:
            return True
        return any(self._is_member(user_id, self._roles[name]) for name in self.granting(permission))

    def granting(self, permission: str) -> list[str]:
        """Names of the roles that grant a permission."""
        return [
            name
            for name, role in self._roles.items()
            if any(_covers(granted, permission) for granted in role.permissions)
        ]

    def require(self, user_id: str, permission: str | None, what: str) -> None:
        if self.allowed(user_id, permission):
            return
        roles = self.granting(permission or "")
        fix = f"ask somebody with the role {' or '.join(roles)}" if roles else "no role grants it yet"
        raise Refused(f"You may not {what}: it needs the permission {permission!r}; {fix}.")

    def _is_member(self, user_id: str, role: Role) -> bool:
        """People of another workspace, `TEAM/USER`, are meant only where that is named: `TEAM/@oncall`."""
        team, slash, _ = user_id.rpartition("/")
        of_team = team + slash
        if user_id in role.members or f"{of_team}*" in role.members:
            return True
        sign = f"{of_team}@"
        handles = {of_team + member.removeprefix(sign) for member in role.members if member.startswith(sign)}
        return bool(handles) and bool(handles & self._groups_of(user_id))


def _covers(granted: str, wanted: str) -> bool:
    """Whether a granted permission covers a wanted one; `alerts.*` covers `alerts.silence`."""
    return granted in {wanted, "*"} or (granted.endswith(".*") and wanted.startswith(granted[:-1]))
