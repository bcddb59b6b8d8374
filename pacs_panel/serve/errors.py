"""What goes wrong, as HTTP answers: one table, and one shape of answer, ``{"what", "hint"}``."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from pacs_panel.errors import (
    Ambiguous,
    BadPixels,
    BadQuery,
    Busy,
    Damaged,
    Denied,
    NotFound,
    NotYetShown,
    PacsPanelError,
    Rejected,
    SeveralStacks,
    TooLarge,
)

# The nearest class of an error decides: its status, and what to do.
ERRORS: dict[type[Exception], tuple[int, str]] = {
    PacsPanelError: (500, "the server's log says more"),
    NotFound: (404, "look for it on the Browse page: it may have been removed or built again"),
    NotYetShown: (404, "its header and its bytes are there all the same"),
    SeveralStacks: (409, "name one of the stacks"),
    Ambiguous: (409, "ask by one of the keys"),
    BadQuery: (400, "see the documentation of searches"),
    Rejected: (422, "export the received bytes and look at the header"),
    TooLarge: (422, "whoever looks after the archive can raise the limit in its settings"),
    BadPixels: (422, "export the received bytes and look at the header"),
    Denied: (403, "ask whoever looks after the archive"),
    Busy: (503, "try again in a moment"),
    Damaged: (500, "run `pacs-panel verify`"),
}
UNREADABLE = {"what": "the address does not name a frame", "hint": "numbers stand where the viewer puts them"}
NO_STORE = {"Cache-Control": "no-store"}


class Refused(PacsPanelError):
    """A request that cannot be served as it is, with a status, a hint and, perhaps, ``more`` of its own."""

    def __init__(self, status: int, what: str, hint: str, **more: object) -> None:
        super().__init__(what)
        self.status, self.hint, self.more = status, hint, more


def answer(error: PacsPanelError) -> JSONResponse:
    """The answer to a request that ended in this error."""
    if isinstance(error, Refused):
        return JSONResponse({"what": str(error), "hint": error.hint, **error.more}, error.status, headers=NO_STORE)
    status, hint = next(ERRORS[kind] for kind in type(error).__mro__ if kind in ERRORS)
    return JSONResponse({"what": str(error), "hint": hint}, status, headers=NO_STORE)


def install(app: FastAPI) -> None:
    """Make an application answer so. Errors carry nothing about a patient, and what was asked is not repeated."""

    @app.exception_handler(PacsPanelError)
    def known(_request: Request, error: PacsPanelError) -> JSONResponse:
        return answer(error)

    @app.exception_handler(RequestValidationError)
    def unreadable(_request: Request, _error: RequestValidationError) -> JSONResponse:
        return JSONResponse(UNREADABLE, 404, headers=NO_STORE)
