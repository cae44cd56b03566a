"""The API is what its OpenAPI page says, whatever is sent to it: drawn requests, with and without credentials."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.integration import web_kit
from tests.integration.web_kit import ADMIN, READ, Web, jira_body, jira_headers

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]
load_all_checks()
DESCRIBED = [status_code_conformance, content_type_conformance, response_schema_conformance]
CREDENTIALS = [{}, {"Authorization": f"Bearer {READ}"}, {"Authorization": f"Bearer {ADMIN}"}]
PATHS = 9


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    url = f"sqlite:///{tmp_path_factory.mktemp('api') / 'signalbox.db'}"
    unlimited = {"token": "", "failures": ""}
    with web_kit.web(url, limits=unlimited) as made:
        body = jira_body()
        made.http.post("/webhooks/jira", content=body, headers=jira_headers(body))
        yield made


def test_every_answer_is_one_that_the_page_describes(site: Web) -> None:
    schema = schemathesis.openapi.from_asgi("/openapi.json", site.app)
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) >= PATHS
    for operation in operations:

        @settings(max_examples=80, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(), headers=st.sampled_from(CREDENTIALS))
        def holds(case: schemathesis.Case, headers: dict[str, str]) -> None:
            response = case.call(headers=headers)
            assert response.status_code != 500, response.text
            case.validate_response(response, checks=DESCRIBED)

        holds()
