// Matrices of fixed small sizes for Python: every element type, every number of rows and of columns is a class of its own.
// That is how such bindings are written, and why their compiler needs so much memory: all of it is one translation unit.

#include <array>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>

#include <pybind11/operators.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

namespace py = pybind11;

template <typename T, std::size_t Rows, std::size_t Columns>
struct Matrix {
    std::array<std::array<T, Columns>, Rows> cells{};

    T at(std::size_t row, std::size_t column) const {
        if (row >= Rows || column >= Columns) throw std::out_of_range("no such cell");
        return cells[row][column];
    }

    void set(std::size_t row, std::size_t column, T value) {
        if (row >= Rows || column >= Columns) throw std::out_of_range("no such cell");
        cells[row][column] = value;
    }

    Matrix operator+(const Matrix &other) const {
        Matrix sum;
        for (std::size_t row = 0; row < Rows; ++row)
            for (std::size_t column = 0; column < Columns; ++column)
                sum.cells[row][column] = cells[row][column] + other.cells[row][column];
        return sum;
    }

    Matrix operator*(T factor) const {
        Matrix product;
        for (std::size_t row = 0; row < Rows; ++row)
            for (std::size_t column = 0; column < Columns; ++column)
                product.cells[row][column] = cells[row][column] * factor;
        return product;
    }

    bool operator==(const Matrix &other) const { return cells == other.cells; }

    Matrix<T, Columns, Rows> transposed() const {
        Matrix<T, Columns, Rows> turned;
        for (std::size_t row = 0; row < Rows; ++row)
            for (std::size_t column = 0; column < Columns; ++column)
                turned.cells[column][row] = cells[row][column];
        return turned;
    }

    template <std::size_t Other>
    Matrix<T, Rows, Other> times(const Matrix<T, Columns, Other> &other) const {
        Matrix<T, Rows, Other> product;
        for (std::size_t row = 0; row < Rows; ++row)
            for (std::size_t column = 0; column < Other; ++column)
                for (std::size_t inner = 0; inner < Columns; ++inner)
                    product.cells[row][column] += cells[row][inner] * other.cells[inner][column];
        return product;
    }
};

template <typename T, std::size_t Rows, std::size_t Columns, std::size_t... Other>
void bind_matrix(py::module_ &module, const char *element, std::index_sequence<Other...>) {
    using Self = Matrix<T, Rows, Columns>;
    const auto name = std::string(element) + std::to_string(Rows) + "x" + std::to_string(Columns);
    py::class_<Self> bound(module, name.c_str());
    bound.def(py::init<>())
        .def_readwrite("cells", &Self::cells)
        .def("at", &Self::at)
        .def("set", &Self::set)
        .def("transposed", &Self::transposed)
        .def(py::self + py::self)
        .def(py::self * T())
        .def(py::self == py::self);
    (bound.def("__matmul__", &Self::template times<Other + 1>), ...);
}

template <typename T, std::size_t Size, std::size_t... Cell>
void bind_element(py::module_ &module, const char *element, std::index_sequence<Cell...>) {
    (bind_matrix<T, Cell / Size + 1, Cell % Size + 1>(module, element, std::make_index_sequence<Size>()), ...);
}

template <typename T>
void bind_element(py::module_ &module, const char *element) {
    constexpr std::size_t size = 3;
    bind_element<T, size>(module, element, std::make_index_sequence<size * size>());
}

PYBIND11_MODULE(smallmatrix, module) {
    bind_element<float>(module, "Float");
    bind_element<double>(module, "Double");
}
