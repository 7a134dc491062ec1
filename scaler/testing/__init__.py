"""What tests of scale and of its adapters share: a fake cloud, a clock that only moves when told, and the adapters' contract.

Needs pytest; nothing else in scale imports this package.
"""

from scaler.testing.clock import FakeClock, RealClock
from scaler.testing.conformance import ProviderConformance, settle
from scaler.testing.fake import CATALOGUE, Call, FakeProvider
from scaler.testing.machine import Machine

__all__ = ["CATALOGUE", "Call", "FakeClock", "FakeProvider", "Machine", "ProviderConformance", "RealClock", "settle"]
