from pathlib import Path

import pytest

from scaler.domain.instance import Instance, Reference
from scaler.testing import ProviderConformance
from scaler_providers.local.provider import LocalProvider


class TestLocalProvider(ProviderConformance):
    provider_class = LocalProvider
    unknown_reference = "ec2:us-east-1/i-0123456789abcdef0"
    """Every valid local name is an instance, so what does not exist here is another provider's."""

    @pytest.fixture
    def provider(self, state_home: Path) -> LocalProvider:
        return LocalProvider()

    @pytest.fixture
    def instance(self, provider: LocalProvider) -> Instance:
        return provider.find(Reference("local", "conformance"))[0]
