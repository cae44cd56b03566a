"""Refusals in Jira's words and shape: `{"errorMessages": [...], "errors": {...}}`."""

from collections.abc import Mapping

from fastapi.responses import JSONResponse

NO_ISSUE = "Issue does not exist or you do not have permission to see it."


class JiraRefusal(Exception):
    def __init__(self, status: int, *messages: str, errors: Mapping[str, str] | None = None) -> None:
        super().__init__(status, messages, errors)
        self.status = status
        self.messages = messages
        self.errors = dict(errors or {})

    def response(self) -> JSONResponse:
        body = {"errorMessages": list(self.messages), "errors": self.errors}
        return JSONResponse(body, status_code=self.status)


def bad(field: str, message: str) -> JiraRefusal:
    return JiraRefusal(400, errors={field: message})


def missing(message: str) -> JiraRefusal:
    return JiraRefusal(404, message)
