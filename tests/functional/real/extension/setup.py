"""Builds the extension with the options that pybind11's own helper takes."""

# mypy: ignore-errors
# The build backend runs this file in an environment of its own, where setuptools and pybind11 are.

from pybind11.setup_helpers import Pybind11Extension
from setuptools import setup

setup(ext_modules=[Pybind11Extension("smallmatrix", ["smallmatrix.cpp"], cxx_std=17)])
