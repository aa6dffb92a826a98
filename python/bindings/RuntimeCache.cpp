// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "RuntimeCache.h"

#include "ReleasedGil.h"
#include "RuntimeErrors.h"

#include "runtime/Cache.h"
#include "runtime/Sha256.h"

#include <pybind11/stl.h>

namespace py = pybind11;

namespace ramify::bindings {

using runtime::Cache;
using runtime::CacheEntry;

static py::object find(Cache &cache, const std::string &key) {
  std::optional<CacheEntry> entry;
  {
    ReleasedGil release;
    entry = cache.find(key);
  }
  warn(cache.takeWarnings());
  return entry ? py::object(py::bytes(entry->payload)) : py::none();
}

static bool store(Cache &cache, std::string key, std::string payload,
                  std::string description) {
  bool stored = false;
  {
    ReleasedGil release;
    stored = cache.store(
        {std::move(key), std::move(description), std::move(payload)});
  }
  warn(cache.takeWarnings());
  return stored;
}

static py::list list(Cache &cache) {
  py::list result;
  for (const Cache::Listed &item : cache.list())
    result.append(py::dict(
        py::arg("name") = item.name, py::arg("description") = item.description,
        py::arg("bytes") = item.bytes, py::arg("modified") = item.modified,
        py::arg("damage") = item.damage));
  return result;
}

static py::object read(Cache &cache, const std::string &prefix) {
  std::optional<CacheEntry> entry = cache.read(prefix);
  if (!entry)
    return py::none();
  return py::dict(py::arg("key") = py::bytes(entry->key),
                  py::arg("description") = entry->description,
                  py::arg("payload") = py::bytes(entry->payload));
}

void bindCache(py::module_ &module) {
  py::class_<Cache>(module, "Cache", R"(The kernels on the disk.

A damaged entry is a miss and one RuntimeWarning. Without a usable folder everything is a miss and
nothing is stored; `problem` says why.)")
      .def(py::init<std::string>(), py::arg("folder"))
      .def_static("default_folder", &Cache::defaultFolder,
                  "RAMIFY_CACHE_DIR, or ramify in XDG_CACHE_HOME or ~/.cache; "
                  "may be empty.")
      .def("find", &find, py::arg("key"),
           "The payload stored for the key, or None.")
      .def("store", &store, py::arg("key"), py::arg("payload"),
           py::arg("description") = "",
           "Whether the entry stands on the disk now.")
      .def("list", &list,
           "Dicts with name, description, bytes, modified and damage.")
      .def("read", &read, py::arg("prefix"),
           "One entry by the beginning of its name, or None.")
      .def("clear", &Cache::clear,
           "Removes all entries; returns how many there were.")
      .def_property_readonly("path", &Cache::path)
      .def_property_readonly("problem", &Cache::problem);
  module.def(
      "sha256",
      [](const py::bytes &bytes) {
        return runtime::hex(
            runtime::sha256(static_cast<std::string_view>(bytes)));
      },
      py::arg("data"));
}

} // namespace ramify::bindings
