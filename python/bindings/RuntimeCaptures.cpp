// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "RuntimeCaptures.h"

#include "RuntimeErrors.h"

#include <algorithm>

namespace py = pybind11;

namespace ramify::bindings {

Captures::Captures(py::object watch)
    : watch(std::move(watch)), known(this->watch.is_none()) {}

bool Captures::Watched::isInPlace() const {
  if (PyCell_Check(place.ptr()))
    return PyCell_GET(place.ptr()) == value.ptr();
  PyObject *found = PyDict_GetItemWithError(place.ptr(), name.ptr());
  if (!found && PyErr_Occurred())
    raisePython();
  return found == value.ptr();
}

bool Captures::changed() {
  if (known &&
      std::all_of(places.begin(), places.end(),
                  [](const Watched &each) { return each.isInPlace(); }))
    return false;
  auto [newText, list] = watch().cast<std::pair<std::string, py::list>>();
  std::vector<Watched> newPlaces;
  for (py::handle item : list) {
    auto [place, name, value] =
        item.cast<std::tuple<py::object, py::object, py::object>>();
    if (!PyCell_Check(place.ptr()) && !PyDict_Check(place.ptr()))
      throw py::type_error("watch: a place is a dict or a cell");
    newPlaces.push_back({place, name, value});
  }
  bool different = known && text != newText;
  text = std::move(newText);
  places.swap(newPlaces); // the old ones go when all is consistent
  known = true;
  return different;
}

} // namespace ramify::bindings
