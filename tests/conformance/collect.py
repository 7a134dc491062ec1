"""Run by the meta-test: prints what pytest collects from PATH as `ADAPTER TEST`, one line for each conformance test."""

import sys

import pytest

from scaler.testing import ProviderConformance


class _Seen:
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            suite = getattr(item, "cls", None)
            if suite is not None and issubclass(suite, ProviderConformance):
                adapter = suite.provider_class
                print(f"{adapter.__module__}:{adapter.__qualname__}", getattr(item, "originalname", item.name))  # noqa: T201


if __name__ == "__main__":
    sys.exit(pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", *sys.argv[1:]], plugins=[_Seen()]))
