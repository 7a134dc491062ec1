import pytest

from tests.unit.engine.world import World, a_world


@pytest.fixture
def world() -> World:
    return a_world()
