"""The EC2 adapter keeps the contract of every adapter."""

import pytest

from scaler.domain.instance import Instance
from scaler.ports import Provider
from scaler.testing import ProviderConformance
from scaler_providers.ec2.provider import Ec2Provider
from tests.providers.ec2.emulator import Launch


class TestEc2Provider(ProviderConformance):
    provider_class = Ec2Provider
    unknown_reference = "ec2:us-east-1/i-0123456789abcdef0"
    # moto 5.2 changes the type of running instances and takes any name; EC2 answers IncorrectInstanceState and
    # InvalidInstanceAttributeValue. test_answers.py tries these answers.
    cloud_refuses_type_change_while_running = False
    cloud_refuses_unknown_types = False

    @pytest.fixture
    def provider(self, provider: Ec2Provider) -> Provider:
        return provider

    @pytest.fixture
    def instance(self, launch: Launch) -> Instance:
        return launch()
